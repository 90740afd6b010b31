import type { StepReport } from "../../../protocol/native.ts";
import type { ExecutionRow, JobRow } from "../statements.ts";
import type { Store } from "../store.ts";
import { recordProgress, stepsOf } from "./progress.ts";

/** Status of one step of an action, as the Go runner PUTs it. Steps of an ended execution no longer change. */
export function setStep(
  store: Store,
  job: JobRow,
  execution: ExecutionRow,
  step: { readonly name: string; readonly status: StepReport["status"]; readonly durationMs: number },
): void {
  store.db.transaction(() => {
    const steps = stepsOf(execution);
    const known = steps.find((one) => one.name === step.name);
    const report: StepReport = {
      name: step.name,
      status: step.status,
      started_at: known?.started_at ?? new Date(store.clock.now() - step.durationMs).toISOString(),
      duration_ms: step.durationMs,
      exit_code: known?.exit_code ?? null,
    };
    const next = known ? steps.map((one) => (one === known ? report : one)) : [...steps, report];
    recordProgress(store, job, execution, { status: execution.status, phase: execution.phase, steps: next });
  });
}
