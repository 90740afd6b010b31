import type { ExecutionStatus } from "../../../protocol/enums.ts";
import type { StepReport } from "../../../protocol/native.ts";
import { NS_PER_MS } from "../../../protocol/nuon/base.ts";
import type { RunnerSettings } from "../../../protocol/nuon/settings.ts";
import type { ExecutionRef } from "../control-plane.ts";
import type { NuonClient } from "./client.ts";
import { factsOf } from "./facts.ts";
import type { Send } from "./outbox.ts";

/** Key of an execution's status in its outbox; steps have their run id. */
export const STATUS = "status";

/** A write that is obsolete once the next one is there: its retries end, the try on the wire does not. */
const until = (signal: AbortSignal, retries: AbortSignal) => ({
  tag: "progress",
  signal: AbortSignal.any([signal, retries]),
  letTryEnd: true,
});

/** PATCH of an execution's status. Tried until the next one makes it obsolete. */
export function statusWrite(
  api: NuonClient,
  execution: ExecutionRef,
  status: ExecutionStatus,
  signal: AbortSignal,
): Send {
  const path = { runner_job_id: execution.jobId, runner_job_execution_id: execution.id };
  return (retries) => api.call("UpdateRunnerJobExecution", { path, json: { status }, ...until(signal, retries) });
}

/** PUT of an action step. The Go runner puts the action's id where the run's belongs; servers look at the step alone (2.14). */
export function stepWrite(
  api: NuonClient,
  { execution, step, id }: { readonly execution: ExecutionRef; readonly step: StepReport; readonly id: string },
  settings: RunnerSettings | null,
  signal: AbortSignal,
): Send {
  const facts = factsOf(execution);
  const path = {
    install_id: facts?.install_id ?? settings?.metadata?.["install.id"] ?? "-",
    workflow_run_id: facts?.action_workflow_id ?? "-",
    step_id: id,
  };
  const json = { status: step.status, execution_duration: Math.round(step.duration_ms * NS_PER_MS) };
  return (retries) => api.call("UpdateInstallActionWorkflowRunStep", { path, json, ...until(signal, retries) });
}
