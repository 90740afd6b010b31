import type { OutcomeStatus } from "../../../protocol/enums.ts";
import { newId } from "../../../protocol/ids.ts";
import type { Lease, LeaseRef, RenewRequest, SessionResponse } from "../../../protocol/native.ts";
import type { ExecutionRow, JobRow } from "../statements.ts";
import type { Store } from "../store.ts";
import { gpusOf } from "../views.ts";
import { endExecution, endJob, markStopping } from "./end.ts";
import { endedReason, type Standing, standingOf } from "./execution-of.ts";
import { recordProgress } from "./progress.ts";
import { changesTheWorld, record } from "./shared.ts";
import { addLogStream } from "./submit.ts";

/** A job that lost this many leases waits for a person. */
const MAX_LEASE_LOSSES = 3;

export interface Renewal {
  readonly leases: Lease[];
  readonly lost: { readonly execution_id: string; readonly reason: string }[];
}

/** Renews leases, takes lost ones up again where nobody else got the job, and records progress. */
export function renewLeases(
  store: Store,
  runnerId: string,
  instanceId: string,
  executions: RenewRequest["executions"],
): Renewal {
  return store.db.transaction(() => {
    const renewal: Renewal = { leases: [], lost: [] };
    for (const report of executions) {
      const standing = standingOf(store, {
        runnerId,
        instanceId,
        executionId: report.execution_id,
        epoch: report.epoch,
      });
      if (goesOn(store, standing)) {
        if (standing.kind === "lost") resumeLease(store, standing.job, standing.execution);
        recordProgress(store, standing.job, standing.execution, report);
        renewal.leases.push(extendLease(store, standing.execution));
      } else {
        renewal.lost.push({ execution_id: report.execution_id, reason: stopReason(standing) });
      }
    }
    return renewal;
  });
}

/** What an instance shall do with each execution it still holds from before a restart. */
export function judgeHeld(
  store: Store,
  runnerId: string,
  instanceId: string,
  held: readonly LeaseRef[],
): SessionResponse["held"] {
  return store.db.transaction(() =>
    held.map((ref) => {
      const standing = standingOf(store, {
        runnerId,
        instanceId,
        executionId: ref.execution_id,
        epoch: ref.epoch,
      });
      if (!goesOn(store, standing)) {
        return { execution_id: ref.execution_id, verdict: "stop" as const, reason: stopReason(standing), lease: null };
      }
      if (standing.kind === "lost") resumeLease(store, standing.job, standing.execution);
      const cancelled = standing.job.cancel_at !== null;
      return {
        execution_id: ref.execution_id,
        verdict: cancelled ? ("cancel" as const) : ("continue" as const),
        reason: cancelled ? standing.job.cancel_reason : "",
        lease: extendLease(store, standing.execution),
      };
    }),
  );
}

/** It runs, or was lost and can be taken up again: each of its GPUs is still nobody else's. */
function goesOn(store: Store, standing: Standing): standing is Extract<Standing, { kind: "running" | "lost" }> {
  if (standing.kind !== "lost") return standing.kind === "running";
  const gpus = gpusOf(standing.execution);
  if (gpus.length === 0) return true;
  const inUse = store.sql.gpusInUse.all(standing.execution.runner_id).flatMap(gpusOf);
  return !gpus.some((uuid) => inUse.includes(uuid));
}

const stopReason = (standing: Standing) =>
  standing.kind === "lost" ? "the lease was lost and its GPUs were given to another job" : endedReason(standing);

export function leaseOf(store: Store, execution: ExecutionRow, expiresAt = execution.lease_expires_at): Lease {
  return {
    execution_id: execution.id,
    epoch: execution.epoch,
    expires_at: new Date(expiresAt).toISOString(),
    ttl_ms: Math.max(0, expiresAt - store.clock.now()),
  };
}

function extendLease(store: Store, execution: ExecutionRow): Lease {
  const expiresAt = store.clock.now() + store.times.lease_ms;
  store.db
    .prepare<unknown, [number, string]>("UPDATE executions SET lease_expires_at = ? WHERE id = ?")
    .run(expiresAt, execution.id);
  return leaseOf(store, execution, expiresAt);
}

/** queued (parked or not) or available → in-progress, same epoch: the instance came back before anyone else got the job. */
export function resumeLease(store: Store, job: JobRow, execution: ExecutionRow): void {
  const now = store.clock.now();
  store.db
    .prepare<unknown, [number, string]>("UPDATE executions SET lost_at = NULL, updated_at = ? WHERE id = ?")
    .run(now, execution.id);
  store.db
    .prepare<unknown, [number, string, string]>(
      "UPDATE jobs SET status = 'in-progress', reason = '', parked = 0, updated_at = ?, log_stream_id = ? WHERE id = ?",
    )
    .run(now, execution.log_stream_id, job.id);
  record(store, job, {
    what: "in-progress",
    by: `runner:${execution.runner_id}`,
    why: "the runner came back and took its lease up again",
    execution,
  });
}

/**
 * The lease ran out. A cancelled job ends; a change of real infrastructure, and any job at its third loss, is parked
 * for a person; with attempts left it goes back to the queue; otherwise it fails.
 */
export function loseLease(store: Store, execution: ExecutionRow, why: string): void {
  store.db.transaction(() => {
    const job = store.sql.job.get(execution.job_id);
    if (job?.status !== "in-progress" || job.epoch !== execution.epoch) return;
    if (job.cancel_at !== null) {
      return giveUp(store, job, execution, "cancelled", `${job.cancel_reason}; ${why}`);
    }
    const losses = job.lease_losses + 1;
    const parked = changesTheWorld(job) || losses >= MAX_LEASE_LOSSES;
    if (!parked && job.attempts >= job.max_executions) {
      return giveUp(store, job, execution, "failed", `lease_lost: ${why}`);
    }
    markStopping(store, execution);
    backToQueue(store, job, { parked, losses, reason: parked ? "parked" : "lease_lost" });
    store.db
      .prepare<unknown, [number, string]>("UPDATE executions SET lost_at = ? WHERE id = ?")
      .run(store.clock.now(), execution.id);
    record(store, job, { what: "queued", by: "system", why: parked ? `parked: ${why}` : why, execution });
  }, "full");
}

/** Whether a lost lease of this job ends it: then it is kept open until the runner counts as offline. */
export function lossEndsJob(job: JobRow): boolean {
  return !changesTheWorld(job) && job.attempts >= job.max_executions && job.lease_losses + 1 < MAX_LEASE_LOSSES;
}

function giveUp(store: Store, job: JobRow, execution: ExecutionRow, status: OutcomeStatus, reason: string): void {
  endExecution(store, execution, status, reason);
  endJob(store, job, { status, reason, by: "system", execution });
}

/** in-progress → queued for another attempt, with a log stream of its own. */
export function backToQueue(
  store: Store,
  job: JobRow,
  to: { readonly parked: boolean; readonly losses: number; readonly reason: string },
): void {
  const now = store.clock.now();
  const streamId = newId("logStream");
  addLogStream(store, streamId, job.id);
  store.db
    .prepare<unknown, [string, number, number, string, number, number, string]>(
      `UPDATE jobs SET status = 'queued', reason = ?, parked = ?, lease_losses = ?, log_stream_id = ?, queued_at = ?,
       updated_at = ? WHERE id = ?`,
    )
    .run(to.reason, to.parked ? 1 : 0, to.losses, streamId, now, now, job.id);
  store.wake.jobs();
}
