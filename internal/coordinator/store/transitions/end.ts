import type { OutcomeStatus } from "../../../protocol/enums.ts";
import type { ExecutionRow, JobRow } from "../statements.ts";
import type { Store } from "../store.ts";
import { record } from "./shared.ts";

/** How a job ends. */
export interface JobEnd {
  readonly status: OutcomeStatus;
  readonly reason: string;
  readonly by: string;
  /** The execution whose outputs become those of the job. */
  readonly execution?: ExecutionRow;
}

/** Ends a job, once: its row, its event, then the hooks. The caller has checked that it has not ended. */
export function endJob(store: Store, job: JobRow, end: JobEnd): void {
  const now = store.clock.now();
  store.db
    .prepare<unknown, [string, string, number, number, string | null, string]>(END_JOB)
    .run(end.status, end.reason, now, now, end.execution?.id ?? null, job.id);
  record(store, job, {
    what: end.status,
    by: end.by,
    why: end.reason,
    ...(end.execution ? { execution: end.execution } : {}),
  });
  const { execution } = end;
  const finished = end.status === "finished" && execution ? { job, execution, endedMs: now } : undefined;
  for (const hook of store.jobEnded) hook(job.id, finished);
  store.wake.jobs();
}

const END_JOB = `UPDATE jobs SET status = ?, reason = ?, finished_at = ?, updated_at = ?, parked = 0,
  final_execution_id = coalesce(?, final_execution_id) WHERE id = ?`;

/** Ends an execution that will not be reported by its runner any more. */
export function endExecution(store: Store, execution: ExecutionRow, status: OutcomeStatus, reason: string): void {
  const now = store.clock.now();
  markStopping(store, execution);
  store.db
    .prepare<unknown, [string, string, number, number, string]>(END_EXECUTION)
    .run(status, reason, now, now, execution.id);
}

/** A Go runner learns of it within a second at best, and stops when its tool has. */
export function markStopping(store: Store, execution: ExecutionRow): void {
  if (execution.dialect !== "nuon") return;
  const group = store.sql.job.get(execution.job_id)?.job_group;
  if (group) store.nuonPolls.stopping(execution.runner_id, group);
}

const END_EXECUTION = `UPDATE executions SET status = ?, reason = ?, finished_at = ?, updated_at = ?
  WHERE id = ? AND finished_at IS NULL`;
