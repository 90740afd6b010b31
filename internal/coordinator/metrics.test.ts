import { expect, test } from "bun:test";
import { coordinatorMetrics } from "./metrics.ts";
import { completionOf, onlineRunner, submit, testStore } from "./store/test-store.ts";
import { claimJobs } from "./store/transitions/claim.ts";
import { completeExecution } from "./store/transitions/complete.ts";
import { loseLease } from "./store/transitions/lease.ts";

test("the coordinator counts claims, ends and lost leases once committed, and shows the queue with its reasons", () => {
  const { store } = testStore();
  const metrics = coordinatorMetrics(store, "1.2.3");
  const logs = metrics.counted({
    append: ({ range }) => (range === null ? { ok: true, value: { stored: 0 } } : { ok: false, error: { stored: 0 } }),
    batches: async function* () {},
    grown: async () => {},
    close: () => {},
  });
  const runner = onlineRunner(store, "r");
  for (const maxExecutions of [1, 1, 2]) submit(store, { maxExecutions });
  submit(store, { requires: { arch: "arm64" } });
  const claimed = claimJobs(store, {
    runnerId: runner,
    instanceId: "r-1",
    key: "key-00000001",
    slots: { operations: 3 },
  });
  const [done, lost, again] = claimed.map((grant) => grant.execution);
  if (!done || !lost || !again) throw new Error("nothing was claimed");
  completeExecution(store, runner, "r-1", completionOf(done));
  loseLease(store, lost, "no renewal");
  loseLease(store, again, "no renewal");
  const rolledBack = () =>
    store.db.transaction(() => {
      submit(store);
      claimJobs(store, { runnerId: runner, instanceId: "r-1", key: "key-00000002", slots: { operations: 1 } });
      throw new Error("the transaction fails");
    });
  expect(rolledBack).toThrow("the transaction fails");
  logs.append({ streamId: "s", payload: new Uint8Array(10), records: 1, range: null });
  logs.append({ streamId: "s", payload: new Uint8Array(10), records: 1, range: { from: 5, to: 9 } });

  const text = metrics.registry.text();
  const lines = text.split("\n").filter((line) => /^runner_coordinator_/.test(line));
  expect(lines).toContain("runner_coordinator_claims_total 3");
  expect(lines).toContain('runner_coordinator_jobs_total{outcome="finished"} 1');
  expect(lines).toContain('runner_coordinator_jobs_total{outcome="failed"} 1');
  expect(lines).toContain("runner_coordinator_lease_losses_total 2");
  expect(lines).toContain("runner_coordinator_log_bytes_total 10");
  expect(lines).toContain('runner_coordinator_jobs{status="queued",reason="lease_lost"} 1');
  expect(lines).toContain('runner_coordinator_jobs{status="queued",reason="no_arch"} 1');
  expect(lines).toContain('runner_coordinator_runners{contact="online"} 1');
  expect(lines).toContain('runner_coordinator_build_info{version="1.2.3"} 1');
});

test("an empty queue is shown as zero, not as nothing", () => {
  const { store } = testStore();
  const depth = () => {
    const text = coordinatorMetrics(store, "1.2.3").registry.text();
    return text.split("\n").filter((line) => line.startsWith("runner_coordinator_jobs{"));
  };
  const empty = ["queued", "available", "in-progress"].map(
    (status) => `runner_coordinator_jobs{status="${status}",reason=""} 0`,
  );
  expect(depth()).toEqual(empty);
  submit(store);
  expect(depth()).toEqual([...empty, 'runner_coordinator_jobs{status="queued",reason="no_runner_online"} 1']);
});
