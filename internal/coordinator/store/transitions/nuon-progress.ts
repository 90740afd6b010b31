import { type ExecutionStatus, isTerminal, type OutcomeStatus } from "../../../protocol/enums.ts";
import type { ExecutionResultRequest } from "../../../protocol/nuon/jobs.ts";
import type { ExecutionRow, JobRow } from "../statements.ts";
import type { Store } from "../store.ts";
import { finishJob } from "./complete.ts";
import { resumeLease } from "./lease.ts";
import { extendNuonLease } from "./nuon-session.ts";
import { recordProgress, stepsOf } from "./progress.ts";
import { record, refuse } from "./shared.ts";

/**
 * Status of an execution as a Go runner PATCHes it. Up to eleven repeats come within a few ms; a terminal word ends
 * the job here, and a late one never overwrites what the server decided.
 */
export function patchExecution(store: Store, executionId: string, status: ExecutionStatus): void {
  store.db.transaction(() => {
    const execution = store.sql.execution.get(executionId);
    const job = execution ? store.sql.job.get(execution.job_id) : null;
    if (!execution || !job || execution.status === status) return;
    if (execution.finished_at !== null || job.epoch !== execution.epoch) {
      const by = `runner:${execution.runner_id}`;
      const message = `${status} after the execution was ${execution.status}`;
      refuse(store, "progress", { code: "stale_epoch", message }, { job, execution, by });
      return;
    }
    if (execution.lost_at !== null) {
      resumeLease(store, job, execution);
      extendNuonLease(store, executionId);
    }
    if (isTerminal(status)) finish(store, job, execution, status);
    else recordProgress(store, job, execution, { status, phase: PHASE[status] ?? "", steps: [] });
  });
}

/** Shutdown handlers finish their job themselves and end the process. */
export function patchJob(store: Store, execution: ExecutionRow): void {
  patchExecution(store, execution.id, "finished");
}

/** The phase that a status of the Go runner stands for, as near as it can be told. */
const PHASE: Partial<Record<ExecutionStatus, string>> = {
  initializing: "fetch",
  "in-progress": "execute",
  "cleaning-up": "cleanup",
};

function finish(store: Store, job: JobRow, execution: ExecutionRow, status: OutcomeStatus): void {
  const now = store.clock.now();
  const reason = status === "finished" ? "" : errorOf(execution);
  store.db
    .prepare<unknown, [string, string, number, number, number, number, string]>(
      `UPDATE executions SET status = ?, reason = ?, reported = 1, started_at = coalesce(started_at, ?),
       finished_at = ?, updated_at = ?, cleanup_at = ? WHERE id = ?`,
    )
    .run(status, reason, execution.created_at, now, now, now, execution.id);
  finishJob(store, job, execution, { status, reason, code: "" });
  // Its cleanup came before this report.
  record(store, job, { what: "cleanup", by: `runner:${execution.runner_id}`, execution });
}

function errorOf(execution: ExecutionRow): string {
  // Actions post no result: the step says where it went wrong, the log says why.
  if (execution.result === null) {
    const bad = stepsOf(execution).find((step) => step.status === "error" || step.status === "timed-out");
    return bad === undefined ? "" : `step ${bad.name}: ${bad.status}`;
  }
  const result = JSON.parse(execution.result) as ExecutionResultRequest;
  return (result.error_metadata?.message ?? "").replace(/\s+/g, " ").trim().slice(0, 500);
}
