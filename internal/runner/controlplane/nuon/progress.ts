import type { Http } from "../../../kit/http/http.ts";
import type { ExecutionStatus } from "../../../protocol/enums.ts";
import type { StepReport } from "../../../protocol/native.ts";
import { NS_PER_MS } from "../../../protocol/nuon/base.ts";
import type { RunnerSettings } from "../../../protocol/nuon/settings.ts";
import { RETRY } from "../../../protocol/retry.ts";
import type { ExecutionRef } from "../control-plane.ts";
import { factsOf } from "./facts.ts";
import type { Send } from "./outbox.ts";

/** Key of an execution's status in its outbox; steps have their run id. */
export const STATUS = "status";

/** PATCH of an execution's status. Tried until the next one makes it obsolete. */
export function statusWrite(http: Http, execution: ExecutionRef, status: ExecutionStatus, signal: AbortSignal): Send {
  const path = `/v1/runner-jobs/${encodeURIComponent(execution.jobId)}/executions/${encodeURIComponent(execution.id)}`;
  return write(http, "PATCH", path, { status }, signal);
}

/** PUT of an action step. The Go runner puts the action's id where the run's belongs; servers look at the step alone (2.14). */
export function stepWrite(
  http: Http,
  { execution, step, id }: { readonly execution: ExecutionRef; readonly step: StepReport; readonly id: string },
  settings: RunnerSettings | null,
  signal: AbortSignal,
): Send {
  const facts = factsOf(execution);
  const install = encodeURIComponent(facts?.install_id ?? settings?.metadata?.["install.id"] ?? "-");
  const action = encodeURIComponent(facts?.action_workflow_id ?? "-");
  const path = `/v1/installs/${install}/action-workflow-runs/${action}/steps/${encodeURIComponent(id)}`;
  const json = { status: step.status, execution_duration: Math.round(step.duration_ms * NS_PER_MS) };
  return write(http, "PUT", path, json, signal);
}

function write(http: Http, method: "PATCH" | "PUT", path: string, json: unknown, signal: AbortSignal): Send {
  return (retries) =>
    http.request({
      method,
      path,
      json,
      tag: "progress",
      rule: RETRY.report,
      decode: "none",
      signal: AbortSignal.any([signal, retries]),
      letTryEnd: true,
    });
}
