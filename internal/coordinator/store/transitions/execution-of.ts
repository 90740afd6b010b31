import type { ExecutionRow, JobRow } from "../statements.ts";
import type { Store } from "../store.ts";

/** Who speaks for an execution: fenced by runner, instance and epoch. */
export interface Speaker {
  readonly runnerId: string;
  /** null: a Go runner has no instance. */
  readonly instanceId: string | null;
  readonly executionId: string;
  /** null: a Go runner names no epoch. */
  readonly epoch: number | null;
}

export type Standing =
  | { readonly kind: "unknown" }
  /** Someone else has the job, or had it after this one. */
  | { readonly kind: "stale"; readonly job: JobRow; readonly execution: ExecutionRow }
  /** This execution has ended. */
  | { readonly kind: "ended"; readonly job: JobRow; readonly execution: ExecutionRow }
  /** The lease ran out and nobody else got the job: it can be taken up again. */
  | { readonly kind: "lost"; readonly job: JobRow; readonly execution: ExecutionRow }
  | { readonly kind: "running"; readonly job: JobRow; readonly execution: ExecutionRow };

/** Where a runner stands with an execution it names. */
export function standingOf(store: Store, speaker: Speaker): Standing {
  const execution = store.sql.execution.get(speaker.executionId);
  if (!execution || execution.runner_id !== speaker.runnerId) return { kind: "unknown" };
  if (speaker.instanceId !== null && execution.instance_id !== speaker.instanceId) return { kind: "unknown" };
  const job = store.sql.job.get(execution.job_id);
  if (!job) return { kind: "unknown" };
  const about = { job, execution };
  if (job.epoch !== execution.epoch || (speaker.epoch !== null && speaker.epoch !== execution.epoch)) {
    return { kind: "stale", ...about };
  }
  if (execution.finished_at !== null) return { kind: "ended", ...about };
  return { kind: execution.lost_at === null ? "running" : "lost", ...about };
}

/** Why an execution goes on no more, for the runner and for people. */
export function endedReason(standing: Standing): string {
  switch (standing.kind) {
    case "unknown":
      return "this execution is not known here";
    case "stale":
      return "the lease was lost and the job was given out again";
    case "ended":
      return standing.execution.reason === ""
        ? `the execution is ${standing.execution.status}`
        : `the execution is ${standing.execution.status}: ${standing.execution.reason}`;
    default:
      return "";
  }
}
