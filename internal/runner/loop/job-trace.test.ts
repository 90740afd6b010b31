import { describe, expect, test } from "bun:test";
import { traceIdOf } from "../../kit/telemetry/trace-ids.ts";
import type { FinishedSpan } from "../../kit/telemetry/tracer.ts";
import { createJobTraces } from "./job-trace.ts";
import { workOf } from "./test-bed.ts";

function bed(phase = "execute") {
  const spans: FinishedSpan[] = [];
  const tracer = { emit: (span: FinishedSpan) => void spans.push(span), samples: () => true };
  const traces = createJobTraces(tracer, () => 1_000);
  const begin = () => {
    const trace = traces.begin(workOf("e1"), { startMs: 1_000, runnerId: "run1", phase: () => phase });
    if (!trace) throw new Error("the trace is recorded");
    return trace;
  };
  const trace = begin();
  const root = () => {
    trace.over(2_000, "finished", null);
    return spans.at(-1);
  };
  return { spans, traces, trace, root, begin, names: () => spans.map(({ name }) => name) };
}

describe("a lifecycle step", () => {
  test("is a span when it took a millisecond or failed", () => {
    const { trace, names } = bed();
    trace.phase("fetch", 1_000, 0.4, null);
    trace.phase("validate", 1_000, 0.4, "no");
    trace.phase("execute", 1_000, 1, null);
    expect(names()).toEqual(["validate", "execute"]);
  });

  test("is a span, however short, when something stands below it", () => {
    const { trace, traces, spans, names } = bed();
    trace.step({ name: "first", status: "finished", started_at: "2026-01-01T00:00:00Z", duration_ms: 0, exit_code: 0 });
    trace.phase("execute", 1_000, 0, null);
    expect(names()).toEqual(["first", "execute"]);
    expect(spans[0]?.parentId).toBe(spans[1]?.spanId ?? "");

    traces.fetching("e1", "oci pull", {})(null);
    expect(spans[2]?.parentId).toBe(spans[1]?.spanId ?? "");

    const line = trace.place("fetch", undefined);
    trace.phase("fetch", 1_000, 0, null);
    expect(spans[3]).toMatchObject({ name: "fetch", spanId: line.spanId });
  });

  test("that is no span leaves what is told later of it to the execution's", () => {
    const { trace, root } = bed();
    trace.phase("fetch", 1_000, 0, null);
    const line = trace.place("fetch", undefined);
    expect(line.spanId).toBe(root()?.spanId ?? "");
    expect(trace.place(undefined, undefined)).toEqual(line);
  });
});

test("ids are the same in every process, all different, and a person can make that of the trace", () => {
  const ids = () => {
    const { trace, spans, root } = bed();
    for (const name of ["fetch", "validate", "initialize", "execute", "outputs", "report", "cleanup"])
      trace.phase(name, 1_000, 5, null);
    root();
    return spans.map(({ spanId }) => spanId);
  };
  expect(ids()).toEqual(ids());
  expect(new Set(ids()).size).toBe(8);
  for (const id of ids()) expect(id).toMatch(/^[0-9a-f]{16}$/);
  // printf job1 | sha256sum | cut -c1-32
  expect(traceIdOf("job1")).toBe("cc5ebc646150889d82afa36a0f8ebcf0");
});
