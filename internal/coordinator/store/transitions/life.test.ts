import { describe, expect, test } from "bun:test";
import { completionOf, newRunner, onlineRunner, sessionOf, submit, testStore, timeline } from "../test-store.ts";
import { cancelJob } from "./cancel.ts";
import { claimJobs } from "./claim.ts";
import { cleanupDone, completeExecution } from "./complete.ts";
import { retryJob } from "./retry.ts";
import { openSession } from "./session.ts";
import { tick } from "./tick.ts";

const claim = (
  store: ReturnType<typeof testStore>["store"],
  runnerId: string,
  instance: string,
  key = "key-00000001",
) => claimJobs(store, { runnerId, instanceId: instance, key, slots: { operations: 4, actions: 2, deploy: 1 } });

describe("a job's life", () => {
  test("goes from queued to available, in-progress, finished and cleanup", () => {
    const { store } = testStore();
    const runner = onlineRunner(store, "one");
    const job = submit(store);
    const [grant] = claim(store, runner, "one-1");
    if (!grant) throw new Error("nothing was granted");
    completeExecution(store, runner, "one-1", completionOf(grant.execution, { outputs: { answer: 42 } }));
    cleanupDone(store, runner, { execution_id: grant.execution.id, epoch: 1, error: null });
    expect(timeline(store, job)).toEqual(["queued", "available", "in-progress", "finished", "cleanup"]);
    expect(store.sql.job.get(job)?.final_execution_id).toBe(grant.execution.id);
  });

  test("waits with the reason no_runner_online and is offered when a runner comes", () => {
    const { store } = testStore();
    const runner = newRunner(store, "late");
    const job = submit(store);
    expect(store.sql.job.get(job)).toMatchObject({ status: "queued", reason: "no_runner_online" });
    openSession(store, runner, sessionOf("late-1"));
    expect(store.sql.job.get(job)).toMatchObject({ status: "available", reason: "" });
  });

  test("is withdrawn when its only runner falls silent", () => {
    const { store, advance } = testStore();
    onlineRunner(store, "one");
    const job = submit(store);
    advance(store.times.suspect_ms + 1);
    tick(store);
    expect(store.sql.job.get(job)).toMatchObject({ status: "queued", reason: "no_runner_online" });
    expect(timeline(store, job)).toEqual(["queued", "available", "queued"]);
  });

  test("is granted once: two runners that claim at the same time get different jobs", () => {
    const { store } = testStore();
    const one = onlineRunner(store, "one");
    const two = onlineRunner(store, "two");
    submit(store);
    expect(claim(store, one, "one-1")).toHaveLength(1);
    expect(claim(store, two, "two-1")).toHaveLength(0);
  });

  test("is granted oldest first, at most the free slots of its group", () => {
    const { store } = testStore();
    const runner = onlineRunner(store, "one");
    const jobs = Array.from({ length: 6 }, () => submit(store));
    expect(claim(store, runner, "one-1").map((grant) => grant.job.id)).toEqual(jobs.slice(0, 4));
  });

  test("is answered again to a repeated claim key, and never to another instance", () => {
    const { store } = testStore();
    const runner = onlineRunner(store, "one");
    submit(store);
    const [first] = claim(store, runner, "one-1", "key-lost-answer");
    const [again] = claim(store, runner, "one-1", "key-lost-answer");
    expect(again?.execution.id).toBe(first?.execution.id ?? "none");
    expect(claim(store, runner, "one-2", "key-lost-answer")).toHaveLength(0);
  });

  test("keeps its first outcome: a second report is acknowledged and changes nothing", () => {
    const { store } = testStore();
    const runner = onlineRunner(store, "one");
    const job = submit(store);
    const [grant] = claim(store, runner, "one-1");
    if (!grant) throw new Error("nothing was granted");
    completeExecution(store, runner, "one-1", completionOf(grant.execution));
    const again = completeExecution(store, runner, "one-1", completionOf(grant.execution, { status: "failed" }));
    expect(again).toMatchObject({ recorded: true, job_status: "finished" });
    expect(timeline(store, job).filter((what) => what === "finished")).toHaveLength(1);
  });

  test("ends not-attempted when nobody takes it within its queue timeout", () => {
    const { store, advance } = testStore();
    const job = submit(store, { queueTimeoutMs: 1_000 });
    advance(1_001);
    tick(store);
    expect(store.sql.job.get(job)).toMatchObject({ status: "not-attempted" });
    expect(store.sql.job.get(job)?.reason).toContain("no_runner_online");
  });

  test("is tried again after a failure as often as its job file says", () => {
    const { store } = testStore();
    const runner = onlineRunner(store, "one");
    const job = submit(store, { maxExecutions: 2 });
    const [first] = claim(store, runner, "one-1", "key-attempt-1");
    if (!first) throw new Error("nothing was granted");
    const failed = completionOf(first.execution, { status: "failed", reason: "exit code 1" });
    expect(completeExecution(store, runner, "one-1", failed).job_status).toBe("queued");
    const [second] = claim(store, runner, "one-1", "key-attempt-2");
    if (!second) throw new Error("the second attempt was not granted");
    expect(second.execution.epoch).toBe(2);
    expect(second.execution.log_stream_id).not.toBe(first.execution.log_stream_id);
    // The repeat of the first report is still known as reported.
    expect(completeExecution(store, runner, "one-1", failed).recorded).toBe(true);
    expect(store.sql.job.get(job)?.status).toBe("in-progress");
  });

  test("times out by the server's clock when its runner never reports", () => {
    const { store, advance } = testStore();
    const runner = onlineRunner(store, "one");
    const job = submit(store, { executionTimeoutMs: 1_000 });
    const [grant] = claim(store, runner, "one-1");
    if (!grant) throw new Error("nothing was granted");
    advance(grant.execution.deadline_at - store.clock.now());
    tick(store);
    expect(store.sql.job.get(job)?.status).toBe("timed-out");
    const late = completeExecution(store, runner, "one-1", completionOf(grant.execution));
    expect(late).toMatchObject({ recorded: false, job_status: "timed-out" });
    expect(timeline(store, job)).toContain("refused:complete");
  });
});

describe("cancel", () => {
  test("ends a waiting job at once", () => {
    const { store } = testStore();
    const job = submit(store);
    expect(cancelJob(store, { jobId: job, by: "admin", reason: "" })).toEqual({ ok: true, value: { ended: true } });
    expect(store.sql.job.get(job)).toMatchObject({ status: "cancelled", reason: "cancelled by admin" });
  });

  test("is final: a running job ends cancelled whatever its runner reports", () => {
    const { store } = testStore();
    const runner = onlineRunner(store, "one");
    const job = submit(store);
    const [grant] = claim(store, runner, "one-1");
    if (!grant) throw new Error("nothing was granted");
    cancelJob(store, { jobId: job, by: "admin", reason: "not wanted" });
    expect(store.sql.job.get(job)?.status).toBe("in-progress");
    completeExecution(store, runner, "one-1", completionOf(grant.execution));
    expect(store.sql.job.get(job)?.status).toBe("cancelled");
    expect(timeline(store, job)).toEqual(["queued", "available", "in-progress", "cancel-requested", "cancelled"]);
  });

  test("of a job that has ended is refused and recorded", () => {
    const { store } = testStore();
    const runner = onlineRunner(store, "one");
    const job = submit(store);
    const [grant] = claim(store, runner, "one-1");
    if (!grant) throw new Error("nothing was granted");
    completeExecution(store, runner, "one-1", completionOf(grant.execution));
    const refused = cancelJob(store, { jobId: job, by: "admin", reason: "" });
    expect(refused).toMatchObject({ ok: false, error: { code: "illegal" } });
    expect(timeline(store, job)).toContain("refused:cancel");
    expect(store.sql.job.get(job)?.status).toBe("finished");
  });
});

describe("retry", () => {
  test("of an ended job submits it again under a new id, with new ids in its documents", () => {
    const { store } = testStore();
    const run = { id: "iar00000000000000000000run", steps: [{ id: "iar0000000000000000000step", step_id: "acs1" }] };
    const config = { id: "acc0000000000000000000conf", steps: [{ id: "acs1", name: "greet", idx: 0 }] };
    const job = submit(store, {
      type: "actions-workflow",
      group: "actions",
      plan: JSON.stringify({ id: run.id, steps: [{ run_id: run.steps[0]?.id }] }),
      documents: { action_run: run, action_config: config, app_config: null },
    });
    cancelJob(store, { jobId: job, by: "admin", reason: "" });
    const retried = retryJob(store, { jobId: job, by: "admin" });
    if (!retried.ok) throw new Error(retried.error.message);
    expect(retried.value.jobId).not.toBe(job);
    const plan = store.sql.plan.get(retried.value.jobId)?.text ?? "";
    expect(plan).not.toContain(run.id);
    const newRun = JSON.parse(plan) as { id: string; steps: { run_id: string }[] };
    expect(store.sql.documentId.get(newRun.id)).toMatchObject({ job_id: retried.value.jobId, kind: "action_run" });
    expect(store.sql.documentId.get(newRun.steps[0]?.run_id ?? "")).toMatchObject({ name: "greet" });
    expect(store.sql.job.get(job)?.status).toBe("cancelled");
  });

  test("of a running job is refused", () => {
    const { store } = testStore();
    const runner = onlineRunner(store, "one");
    const job = submit(store);
    claim(store, runner, "one-1");
    expect(retryJob(store, { jobId: job, by: "admin" })).toMatchObject({ ok: false, error: { code: "illegal" } });
    expect(timeline(store, job)).toContain("refused:retry");
  });
});

test("the timeline cannot be rewritten", () => {
  const { store } = testStore();
  submit(store);
  expect(() => store.db.run(store.db.kysely.deleteFrom("events"))).toThrow("append-only");
  expect(() => store.db.run(store.db.kysely.updateTable("events").set({ what: "finished" }))).toThrow("append-only");
});
