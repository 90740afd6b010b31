import { describe, expect, test } from "bun:test";
import type { Span } from "../../../protocol/otlp-json.ts";
import { newRunner, testStore } from "../test-store.ts";
import { addHealthCheck, lastHealthChecks } from "./health-checks.ts";
import { reportedMetrics, SERIES_LIMIT, saveMetrics } from "./reported-metrics.ts";
import { SPANS_KEPT, saveSpans, spansOfJob } from "./reported-spans.ts";

/** What runners report never fills the disk, however much they report. */
const count = (store: ReturnType<typeof testStore>["store"], table: string) =>
  store.db.prepare<{ n: number }, []>(`SELECT count(*) AS n FROM ${table}`).get()?.n;

describe("health checks", () => {
  test("are kept for 1,440 of a runner, newest, and the last of each process is known", () => {
    const { store, advance } = testStore();
    const [one, other] = [newRunner(store, "one"), newRunner(store, "other")];
    addHealthCheck(store, "hlt-other", other, "");
    for (let n = 0; n < 1_500; n++) {
      advance(60_000);
      addHealthCheck(store, `hlt-${n}`, one, n % 2 === 0 ? "install" : "mng");
    }
    expect(count(store, "runner_health_checks")).toBe(1_440 + 1);
    expect(lastHealthChecks(store, one).map(({ id, process }) => [id, process])).toEqual([
      ["hlt-1498", "install"],
      ["hlt-1499", "mng"],
    ]);
  });
});

describe("reported metrics", () => {
  const point = (name: string, value = 1) => ({ name, kind: "gauge" as const, value, change: false, attributes: {} });

  test("make room for new series when old ones have been silent for a day", () => {
    const { store, advance } = testStore();
    const runner = newRunner(store, "one");
    const names = (prefix: string) => Array.from({ length: SERIES_LIMIT }, (_, n) => point(`${prefix}${n}`));
    expect(saveMetrics(store, runner, names("a"))).toBe(0);
    expect(saveMetrics(store, runner, names("b"))).toBe(SERIES_LIMIT);
    // Known ones are still updated when there is no room for others.
    expect(saveMetrics(store, runner, [point("a0", 7), point("b0")])).toBe(1);
    expect(reportedMetrics(store, runner).find(({ name }) => name === "a0")?.value).toBe(7);
    advance(86_400_001);
    expect(saveMetrics(store, runner, names("b"))).toBe(0);
    expect(reportedMetrics(store, runner)).toHaveLength(SERIES_LIMIT);
  });
});

describe("reported spans", () => {
  const span = (name: string, more: Partial<Span> = {}): Span => ({
    trace_id: "1",
    span_id: "2",
    parent_span_id: "",
    name,
    kind: 1,
    start_ns: "1",
    end_ns: "2",
    status: 0,
    status_message: "",
    service: "runner",
    scope: "s",
    attributes: {},
    events: [],
    ...more,
  });

  test("are kept to a number per runner, newest, and one that is too large loses its attributes", () => {
    const { store } = testStore();
    const runner = newRunner(store, "one");
    const many = Array.from({ length: SPANS_KEPT }, (_, n) => ({ span: span(`s${n}`), jobId: "job1" }));
    saveSpans(store, runner, many);
    saveSpans(store, runner, [{ span: span("last", { attributes: { text: "x".repeat(20_000) } }), jobId: "job1" }]);
    expect(count(store, "runner_spans")).toBe(SPANS_KEPT);
    const kept = spansOfJob(store, "job1");
    expect(kept[0]?.name).toBe("s1");
    expect(kept.at(-1)).toMatchObject({ name: "last", attributes: {} });
  });
});
