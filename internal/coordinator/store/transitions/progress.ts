import { type ExecutionStatus, isTerminal } from "../../../protocol/enums.ts";
import type { StepReport } from "../../../protocol/native.ts";
import type { ExecutionRow, JobRow } from "../statements.ts";
import type { Store } from "../store.ts";
import { record } from "./shared.ts";

const RANK: readonly ExecutionStatus[] = ["pending", "initializing", "in-progress", "cleaning-up"];

export interface Progress {
  readonly status: ExecutionStatus;
  readonly phase: string;
  readonly steps: readonly StepReport[];
}

/** Progress of a running execution. A late, older report changes nothing; a terminal word is not progress. */
export function recordProgress(store: Store, job: JobRow, execution: ExecutionRow, progress: Progress): void {
  const forward = RANK.indexOf(progress.status) > RANK.indexOf(execution.status);
  const status = forward && !isTerminal(progress.status) ? progress.status : execution.status;
  const steps = progress.steps.length === 0 ? execution.steps : JSON.stringify(progress.steps);
  if (status === execution.status && progress.phase === execution.phase && steps === execution.steps) return;
  const now = store.clock.now();
  const started = status === "in-progress" || status === "cleaning-up" ? now : null;
  if (steps !== execution.steps) recordSteps(store, job, execution, progress.steps);
  store.db
    .prepare<unknown, [string, string, string, number, number | null, string]>(
      `UPDATE executions SET status = ?, phase = ?, steps = ?, updated_at = ?, started_at = coalesce(started_at, ?)
       WHERE id = ? AND finished_at IS NULL`,
    )
    .run(status, progress.phase, steps, now, started, execution.id);
}

/** Events `step:NAME` for steps that are new or have moved on. */
export function recordSteps(store: Store, job: JobRow, execution: ExecutionRow, steps: readonly StepReport[]): void {
  const known = new Map(stepsOf(execution).map((step) => [step.name, step.status]));
  for (const step of steps) {
    if (known.get(step.name) === step.status || step.status === "pending") continue;
    record(store, job, {
      what: `step:${step.name}`,
      by: `runner:${execution.runner_id}`,
      why: step.status,
      execution,
    });
  }
}

export function stepsOf(execution: ExecutionRow): StepReport[] {
  return execution.steps === "[]" ? [] : (JSON.parse(execution.steps) as StepReport[]);
}
