import type { ErrorKind } from "../../../protocol/errors.ts";
import type { Completion } from "../../../protocol/native.ts";
import type { ExecutionRow, JobRow } from "../statements.ts";
import type { Store } from "../store.ts";
import type { Recorded } from "../types.ts";
import { endJob } from "./end.ts";
import { endedReason, standingOf } from "./execution-of.ts";
import { backToQueue, resumeLease } from "./lease.ts";
import { recordSteps } from "./progress.ts";
import { changesTheWorld, record, refuse } from "./shared.ts";

/** Records the end of an execution and of its job, once. A repeat answers what was recorded. */
export function completeExecution(
  store: Store,
  runnerId: string,
  instanceId: string | null,
  completion: Completion,
): Recorded {
  return store.db.transaction(() => {
    const id = completion.execution_id;
    const epoch = completion.epoch;
    const standing = standingOf(store, { runnerId, instanceId, executionId: id, epoch });
    if (standing.kind === "unknown") return answer(id, false, "unknown", endedReason(standing));
    // The first answer was lost on its way.
    if (standing.execution.reported === 1) return answer(id, true, standing.job.status, "");
    switch (standing.kind) {
      case "ended":
      case "stale":
        refuseLate(store, standing.job, standing.execution, endedReason(standing));
        return answer(id, false, standing.job.status, endedReason(standing));
      case "lost":
        resumeLease(store, standing.job, standing.execution);
        return finish(store, standing.job, standing.execution, completion);
      case "running":
        return finish(store, standing.job, standing.execution, completion);
    }
  }, "full");
}

function refuseLate(store: Store, job: JobRow, execution: ExecutionRow, message: string): void {
  const by = `runner:${execution.runner_id}`;
  refuse(store, "complete", { code: "stale_epoch", message }, { job, execution, by });
}

const answer = (id: string, recorded: boolean, status: string, reason: string): Recorded => ({
  execution_id: id,
  recorded,
  job_status: status,
  reason,
});

function finish(store: Store, job: JobRow, execution: ExecutionRow, completion: Completion): Recorded {
  if (completion.steps.length > 0) recordSteps(store, job, execution, completion.steps);
  const now = store.clock.now();
  store.db
    .prepare<
      unknown,
      [string, string, string, string | null, string | null, string, string, number, number, number, string]
    >(
      `UPDATE executions SET status = ?, reason = ?, code = ?, reported = 1, result = coalesce(?, result),
       outputs = coalesce(?, outputs), sensitive_outputs = ?, steps = ?, started_at = coalesce(started_at, ?),
       finished_at = ?, updated_at = ? WHERE id = ?`,
    )
    .run(
      completion.status,
      completion.reason,
      completion.code,
      completion.result === null ? null : JSON.stringify(completion.result),
      completion.outputs === null ? null : JSON.stringify(completion.outputs),
      completion.sensitive_outputs.length === 0 ? "[]" : JSON.stringify(completion.sensitive_outputs),
      completion.steps.length === 0 ? execution.steps : JSON.stringify(completion.steps),
      execution.created_at,
      now,
      now,
      execution.id,
    );
  const status = finishJob(store, job, execution, completion);
  return answer(execution.id, true, status, "");
}

/** Kind of the error with which a runner refuses work. */
const REFUSED = "policy" satisfies ErrorKind;

/** The end of the job that follows from the end of an execution; answers the job's status. */
export function finishJob(
  store: Store,
  job: JobRow,
  execution: ExecutionRow,
  { status, reason, code }: Pick<Completion, "status" | "reason" | "code">,
): string {
  const by = `runner:${execution.runner_id}`;
  if (job.cancel_at !== null) {
    const late = status === "cancelled" ? "" : ` (the work had ended: ${status})`;
    endJob(store, job, { status: "cancelled", reason: `${job.cancel_reason}${late}`, by, execution });
    return "cancelled";
  }
  // What a runner's policy or trust refuses, it refuses the next time too.
  const ended = (status === "failed" && code !== REFUSED) || status === "timed-out";
  const again = ended && job.attempts < job.max_executions;
  if (again && !changesTheWorld(job)) {
    const why = `attempt ${job.attempts} of ${job.max_executions} ${status}: ${reason}`;
    backToQueue(store, job, { parked: false, losses: job.lease_losses, reason: "retry" });
    record(store, job, { what: "queued", by, why, execution });
    return "queued";
  }
  endJob(store, job, { status, reason, by, execution });
  return status;
}

/** Cleanup never changes an outcome: an event, and its error where there was one. */
export function cleanupDone(
  store: Store,
  runnerId: string,
  cleanup: { readonly execution_id: string; readonly epoch: number; readonly error: string | null },
): void {
  store.db.transaction(() => {
    const execution = store.sql.execution.get(cleanup.execution_id);
    if (!execution || execution.runner_id !== runnerId || execution.epoch !== cleanup.epoch) return;
    if (execution.cleanup_at !== null) return;
    const job = store.sql.job.get(execution.job_id);
    store.db
      .prepare<unknown, [number, string | null, string]>(
        "UPDATE executions SET cleanup_at = ?, cleanup_error = ? WHERE id = ?",
      )
      .run(store.clock.now(), cleanup.error, execution.id);
    if (job) record(store, job, { what: "cleanup", by: `runner:${runnerId}`, why: cleanup.error ?? "", execution });
  });
}
