import { NUON_LOST_MS } from "../../../protocol/times.ts";
import type { JobRow } from "../statements.ts";
import type { Store } from "../store.ts";
import { loseLease, lossEndsJob } from "./lease.ts";
import { reconsider } from "./offer.ts";
import { timeoutExecution, timeoutQueued } from "./timeout.ts";

/** Everything that the coordinator's clock decides; called once a second. */
export function tick(store: Store): void {
  store.runners.flush();
  expireExecutions(store);
  expireQueue(store);
  reconsider(store);
}

function expireExecutions(store: Store): void {
  const now = store.clock.now();
  for (const execution of store.sql.open.all()) {
    if (execution.lost_at !== null) continue;
    if (execution.deadline_at <= now) timeoutExecution(store, execution);
    else if (execution.lease_expires_at <= now) {
      const job = store.sql.job.get(execution.job_id);
      // A job without another attempt would fail: its runner may come back until it counts as offline.
      // A Go runner never takes a job up again.
      const returns = execution.dialect === "native" && job !== null && lossEndsJob(job);
      const patience = returns ? Math.max(0, store.times.offline_ms - store.times.lease_ms) : 0;
      if (execution.lease_expires_at + patience <= now)
        loseLease(store, execution, "the runner was not heard of in time");
    }
  }
}

function expireQueue(store: Store): void {
  const due = store.db
    .prepare<JobRow, [number]>(
      "SELECT * FROM jobs WHERE status IN ('queued', 'available') AND parked = 0 AND queued_at + queue_timeout_ms <= ?",
    )
    .all(store.clock.now());
  for (const job of due) timeoutQueued(store, job);
}

/**
 * At start: time in which nobody could renew does not count against a lease. Without this a coordinator that was away
 * would take every running job from its runner. A lease that ends later than any can is of a clock that was set back.
 */
export function graceAfterStart(store: Store): void {
  const until = store.clock.now() + Math.max(store.times.lease_ms, store.times.renew_ms * 3);
  store.db.transaction(() => {
    store.db
      .prepare<unknown, [number, number, number]>(
        `UPDATE executions SET lease_expires_at = ? WHERE finished_at IS NULL AND lost_at IS NULL
         AND (lease_expires_at < ? OR lease_expires_at > ?)`,
      )
      .run(until, until, until + NUON_LOST_MS);
  });
}
