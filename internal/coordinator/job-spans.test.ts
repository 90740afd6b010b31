import { describe, expect, test } from "bun:test";
import { parseTraceparent, traceIdOf } from "../kit/telemetry/trace-ids.ts";
import type { FinishedSpan } from "../kit/telemetry/tracer.ts";
import { traceJobs } from "./job-spans.ts";
import { completionOf, onlineRunner, submit, testStore } from "./store/test-store.ts";
import { claimJobs } from "./store/transitions/claim.ts";
import { completeExecution } from "./store/transitions/complete.ts";

function bed() {
  const { store, advance } = testStore();
  const spans: FinishedSpan[] = [];
  const tracer = { emit: (span: FinishedSpan) => void spans.push(span), samples: () => true };
  const jobs = traceJobs(store, tracer);
  const runnerId = onlineRunner(store, "one");
  let claims = 0;
  const claim = () => {
    advance(1_000);
    const input = { runnerId, instanceId: "one-1", key: `k${++claims}`, slots: { operations: 1 } };
    const grant = claimJobs(store, input)[0];
    if (!grant) throw new Error("nothing was granted");
    return grant.execution;
  };
  const complete = (execution: ReturnType<typeof claim>, status: "finished" | "failed", reason = "") => {
    advance(2_000);
    completeExecution(store, runnerId, "one-1", completionOf(execution, { status, reason }));
  };
  return { store, spans, jobs, claim, complete };
}

/** Spans that need the rows of the job are told a microtask after the commit. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));
const shape = (spans: readonly FinishedSpan[]) =>
  spans.map(({ name, startMs, endMs, error }) => [name, endMs - startMs, error]);

describe("the coordinator's spans of a job", () => {
  test("are the job, its wait and its execution, and the runner's lie below the last", async () => {
    const { store, spans, jobs, claim, complete } = bed();
    const id = submit(store);
    const execution = claim();
    complete(execution, "finished");
    await settled();
    expect(shape(spans)).toEqual([
      ["job noop", 3_000, null],
      ["queued", 1_000, null],
      ["execution", 2_000, null],
    ]);
    const [job, queued, last] = spans;
    expect(job).toMatchObject({ traceId: traceIdOf(id), parentId: null, attributes: { "job.id": id } });
    expect([queued?.parentId, last?.parentId]).toEqual([job?.spanId ?? "", job?.spanId ?? ""]);
    expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(3);
    expect(parseTraceparent(jobs.traceparent(execution))).toEqual({
      traceId: traceIdOf(id),
      spanId: last?.spanId ?? "",
      sampled: true,
    });
  });

  test("are the same whether it is told from what the end of the job knows or from its rows", async () => {
    const { store, spans, claim, complete } = bed();
    const id = submit(store);
    complete(claim(), "finished");
    await settled();
    const told = spans.splice(0);
    for (const hook of store.jobEnded) hook(id);
    await settled();
    expect(spans).toEqual(told);
  });

  test("have every attempt, with why it failed", async () => {
    const { store, spans, claim, complete } = bed();
    submit(store, { maxExecutions: 2 });
    complete(claim(), "failed", "it broke");
    complete(claim(), "finished");
    await settled();
    expect(shape(spans)).toEqual([
      ["job noop", 6_000, null],
      ["queued", 1_000, null],
      ["execution", 2_000, "it broke"],
      ["queued", 1_000, null],
      ["execution", 2_000, null],
    ]);
    expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(5);
  });
});
