import { describe, expect, test } from "bun:test";
import type { Store } from "../store.ts";
import { completionOf, onlineRunner, sessionOf, submit, testStore, timeline } from "../test-store.ts";
import { cancelJob } from "./cancel.ts";
import { claimJobs } from "./claim.ts";
import { completeExecution } from "./complete.ts";
import { judgeHeld, renewLeases } from "./lease.ts";
import { retryJob } from "./retry.ts";
import { openSession } from "./session.ts";
import { graceAfterStart, tick } from "./tick.ts";

const SLOTS = { operations: 4, actions: 2, deploy: 1 };
const APPLY = { type: "terraform-deploy", group: "deploy", operation: "apply-plan" } as const;

function claimOne(store: Store, runnerId: string, instanceId: string, key: string) {
  const [grant] = claimJobs(store, { runnerId, instanceId, key, slots: SLOTS });
  if (!grant) throw new Error("nothing was granted");
  return grant;
}

const report = (execution: { id: string; epoch: number }) => ({
  execution_id: execution.id,
  epoch: execution.epoch,
  status: "in-progress" as const,
  phase: "execute",
  steps: [],
});

/** Runner silent until its leases are lost. */
function loseAll(store: Store, advance: (ms: number) => void) {
  advance(store.times.offline_ms + 1);
  tick(store);
}

describe("a lost lease", () => {
  test("gives a job with attempts left to another runner, under the next epoch", () => {
    const { store, advance } = testStore();
    const one = onlineRunner(store, "one");
    const job = submit(store, { maxExecutions: 3 });
    const first = claimOne(store, one, "one-1", "key-first-1");
    loseAll(store, advance);
    expect(store.sql.job.get(job)?.status).toBe("queued");
    const two = onlineRunner(store, "two");
    const second = claimOne(store, two, "two-1", "key-second-1");
    expect(second.execution.epoch).toBe(2);
    const renewed = renewLeases(store, one, "one-1", [report(first.execution)]);
    expect(renewed.leases).toHaveLength(0);
    expect(renewed.lost[0]?.reason).toContain("given out again");
    const late = completeExecution(store, one, "one-1", completionOf(first.execution));
    expect(late.recorded).toBe(false);
    expect(store.sql.job.get(job)?.status).toBe("in-progress");
    expect(timeline(store, job)).toContain("refused:complete");
  });

  test("of an apply parks it for a person: no runner gets it by itself", () => {
    const { store, advance } = testStore();
    const one = onlineRunner(store, "one");
    const job = submit(store, { ...APPLY, maxExecutions: 5 });
    claimOne(store, one, "one-1", "key-apply-1");
    loseAll(store, advance);
    expect(store.sql.job.get(job)).toMatchObject({ status: "queued", reason: "parked", parked: 1 });
    const two = onlineRunner(store, "two");
    tick(store);
    expect(claimJobs(store, { runnerId: two, instanceId: "two-1", key: "key-other-1", slots: SLOTS })).toHaveLength(0);
    expect(store.sql.job.get(job)?.reason).toBe("parked");
  });

  test("of an apply still takes the outcome of the instance that held it", () => {
    const { store, advance } = testStore();
    const one = onlineRunner(store, "one");
    const job = submit(store, APPLY);
    const grant = claimOne(store, one, "one-1", "key-apply-1");
    loseAll(store, advance);
    expect(completeExecution(store, one, "one-1", completionOf(grant.execution))).toMatchObject({ recorded: true });
    expect(store.sql.job.get(job)?.status).toBe("finished");
  });

  test("can be taken up again by the same instance, same epoch, while nobody else has the job", () => {
    const { store, advance } = testStore();
    const one = onlineRunner(store, "one");
    const job = submit(store, { maxExecutions: 2 });
    const grant = claimOne(store, one, "one-1", "key-resume-1");
    loseAll(store, advance);
    const renewed = renewLeases(store, one, "one-1", [report(grant.execution)]);
    expect(renewed.leases).toMatchObject([{ execution_id: grant.execution.id, epoch: 1 }]);
    expect(store.sql.job.get(job)).toMatchObject({ status: "in-progress", epoch: 1, attempts: 1 });
  });

  test("of a job without another attempt is kept open until its runner counts as offline, then fails", () => {
    const { store, advance } = testStore();
    const one = onlineRunner(store, "one");
    const job = submit(store);
    claimOne(store, one, "one-1", "key-last-1");
    advance(store.times.lease_ms + 1);
    tick(store);
    expect(store.sql.job.get(job)?.status).toBe("in-progress");
    loseAll(store, advance);
    expect(store.sql.job.get(job)).toMatchObject({ status: "failed" });
    expect(store.sql.job.get(job)?.reason).toContain("lease_lost");
  });

  test("three times parks any job", () => {
    const { store, advance } = testStore();
    const one = onlineRunner(store, "one");
    const job = submit(store, { maxExecutions: 10 });
    for (const key of ["key-loss-1", "key-loss-2", "key-loss-3"]) {
      openSession(store, one, sessionOf("one-1"));
      claimOne(store, one, "one-1", key);
      loseAll(store, advance);
    }
    expect(store.sql.job.get(job)).toMatchObject({ status: "queued", reason: "parked", lease_losses: 3 });
  });

  test("of a cancelled job ends it cancelled", () => {
    const { store, advance } = testStore();
    const one = onlineRunner(store, "one");
    const job = submit(store, APPLY);
    claimOne(store, one, "one-1", "key-cancel-1");
    cancelJob(store, { jobId: job, by: "admin", reason: "stop" });
    loseAll(store, advance);
    expect(store.sql.job.get(job)?.status).toBe("cancelled");
  });

  test("is not counted for the time the coordinator was away", () => {
    const { store, advance } = testStore();
    const one = onlineRunner(store, "one");
    const job = submit(store, APPLY);
    claimOne(store, one, "one-1", "key-away-1");
    advance(3_600_000 / 60);
    graceAfterStart(store);
    tick(store);
    expect(store.sql.job.get(job)?.status).toBe("in-progress");
  });

  test("is noticed in time also when the clock was set back while the coordinator was away", () => {
    const { store, advance, setClock } = testStore();
    const one = onlineRunner(store, "one");
    const job = submit(store, APPLY);
    claimOne(store, one, "one-1", "key-back-1");
    setClock(-5 * 3_600_000);
    graceAfterStart(store);
    advance(store.times.offline_ms + 1);
    tick(store);
    expect(store.sql.job.get(job)).toMatchObject({ status: "queued", parked: 1 });
  });
});

test("a parked job that a person tries again fences the old instance off", () => {
  const { store, advance } = testStore();
  const one = onlineRunner(store, "one");
  const job = submit(store, APPLY);
  const grant = claimOne(store, one, "one-1", "key-parked-1");
  loseAll(store, advance);
  expect(retryJob(store, { jobId: job, by: "admin" })).toEqual({ ok: true, value: { jobId: job } });
  expect(renewLeases(store, one, "one-1", [report(grant.execution)]).lost).toHaveLength(1);
  const two = onlineRunner(store, "two");
  expect(claimOne(store, two, "two-1", "key-again-1").job.id).toBe(job);
});

describe("sessions", () => {
  test("of a second instance are refused while the first is heard of, naming the holder", () => {
    const { store } = testStore();
    const one = onlineRunner(store, "one");
    const refused = openSession(store, one, sessionOf("other"));
    expect(refused).toMatchObject({ ok: false, error: { instanceId: "one-1", hostname: "host-1" } });
  });

  test("go over to another instance once the holder is past the offline time, and its leases are lost", () => {
    const { store, advance } = testStore();
    const one = onlineRunner(store, "one");
    const job = submit(store, APPLY);
    claimOne(store, one, "one-1", "key-taken-1");
    advance(store.times.offline_ms + 1);
    expect(openSession(store, one, sessionOf("other")).ok).toBe(true);
    expect(store.sql.job.get(job)?.reason).toBe("parked");
  });

  test("of the same instance go on at once and say what to do with what it holds", () => {
    const { store } = testStore();
    const one = onlineRunner(store, "one");
    const running = submit(store);
    const cancelled = submit(store);
    const grants = claimJobs(store, { runnerId: one, instanceId: "one-1", key: "key-held-01", slots: SLOTS });
    cancelJob(store, { jobId: cancelled, by: "admin", reason: "enough" });
    const held = grants.map((grant) => ({ execution_id: grant.execution.id, epoch: grant.execution.epoch }));
    const verdicts = judgeHeld(store, one, "one-1", [...held, { execution_id: "run-of-nobody", epoch: 1 }]);
    const byJob = new Map(grants.map((grant, index) => [grant.job.id, verdicts[index]]));
    expect(byJob.get(running)).toMatchObject({ verdict: "continue" });
    expect(byJob.get(cancelled)).toMatchObject({ verdict: "cancel", reason: "enough" });
    expect(verdicts[2]).toMatchObject({ verdict: "stop", lease: null });
  });
});
