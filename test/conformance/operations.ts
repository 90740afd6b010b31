import { z } from "zod";
import {
  actionRun,
  actionRunStep,
  actionStepUpdate,
  actionWorkflowConfig,
} from "../../internal/protocol/nuon/actions.ts";
import { appConfig } from "../../internal/protocol/nuon/app-config.ts";
import { helmRelease, helmReleaseRow } from "../../internal/protocol/nuon/helm.ts";
import {
  executionOutputs,
  executionOutputsRequest,
  executionPatch,
  executionResultAnswer,
  executionResultRequest,
  heartBeat,
  heartBeatRequest,
  jobExecution,
  jobPatch,
  runnerJob,
} from "../../internal/protocol/nuon/jobs.ts";
import {
  buildPlan,
  compositePlan,
  lastActivePlan,
  sandboxRunPlan,
  syncOciPlan,
  syncSecretsPlan,
} from "../../internal/protocol/nuon/other-plans.ts";
import { actionWorkflowRunPlan, deployPlan } from "../../internal/protocol/nuon/plans.ts";
import { healthCheck, healthCheckRequest, runnerDocument } from "../../internal/protocol/nuon/runners.ts";
import { runnerSettings } from "../../internal/protocol/nuon/settings.ts";
import {
  metricExportRequest,
  publishMetric,
  publishMetricsAnswer,
  traceExportRequest,
} from "../../internal/protocol/nuon/telemetry.ts";
import {
  emptyAnswer,
  lockDocument,
  stateDocument,
  stateJsonAnswer,
  stateJsonBody,
  workspaceRequest,
  workspaceRow,
} from "../../internal/protocol/nuon/terraform.ts";

/** A document by what it holds: a plan does not name its kind. */
export type ByBody = (body: unknown) => z.ZodType;

/**
 * An operation of the Nuon runner API: where it lies, which query keys it reads and what its bodies are. `answers`: by
 * status; other success statuses are a peer's mistake.
 */
export interface Operation {
  readonly method: string;
  readonly path: string;
  readonly query?: readonly string[];
  readonly request?: z.ZodType;
  readonly answers: Readonly<Record<number, z.ZodType | ByBody>>;
}

const written = z.literal("ok");
/** `null` on the real server and on ours; the small server of the recordings answered the release. */
const helmAnswer = helmRelease.nullable();

/** The small server of the recordings answered the release itself, which Helm's driver takes too. */
function createdRelease(body: unknown): z.ZodType {
  return body !== null && typeof body === "object" && "Key" in body ? helmReleaseRow : helmRelease;
}

/** All 45 operations by the name they have in nuon-runner-api.json. Every test of the protocol reads this table. */
export const OPERATIONS = {
  GetRunner: { method: "GET", path: "/v1/runners/{runner_id}", answers: { 200: runnerDocument } },
  UpdateRunnerJobV2Broken: {
    method: "PATCH",
    path: "/v1/runners/{runner_id}",
    request: jobPatch,
    answers: { 200: runnerJob.partial() },
  },
  GetRunnerSettings: { method: "GET", path: "/v1/runners/{runner_id}/settings", answers: { 200: runnerSettings } },
  CreateRunnerHeartBeat: {
    method: "POST",
    path: "/v1/runners/{runner_id}/heart-beats",
    request: heartBeatRequest,
    answers: { 201: heartBeat },
  },
  CreateRunnerHealthCheck: {
    method: "POST",
    path: "/v1/runners/{runner_id}/health-checks",
    request: healthCheckRequest,
    answers: { 201: healthCheck },
  },
  GetRunnerJobs: {
    method: "GET",
    path: "/v1/runners/{runner_id}/jobs",
    query: ["group", "status", "offset", "limit", "page"],
    answers: { 200: z.array(runnerJob) },
  },
  GetRunnerJobV2: { method: "GET", path: "/v1/runners/{runner_id}/jobs/{job_id}", answers: { 200: runnerJob } },
  GetRunnerJobPlanV2: { method: "GET", path: "/v1/runners/{runner_id}/jobs/{job_id}/plan", answers: { 200: planOf } },
  RunnerOtelWriteTraces: {
    method: "POST",
    path: "/v1/runners/{runner_id}/traces",
    request: traceExportRequest,
    answers: { 200: written },
  },
  RunnerOtelWriteMetrics: {
    method: "POST",
    path: "/v1/runners/{runner_id}/metrics",
    request: metricExportRequest,
    answers: { 201: written },
  },
  GetRunnerJob: { method: "GET", path: "/v1/runner-jobs/{runner_job_id}", answers: { 200: runnerJob } },
  UpdateRunnerJob: {
    method: "PATCH",
    path: "/v1/runner-jobs/{runner_job_id}",
    request: jobPatch,
    answers: { 200: runnerJob.partial() },
  },
  GetRunnerJobPlan: { method: "GET", path: "/v1/runner-jobs/{runner_job_id}/plan", answers: { 200: planOf } },
  GetRunnerJobCompositePlan: {
    method: "GET",
    path: "/v1/runner-jobs/{runner_job_id}/composite-plan",
    answers: { 200: compositePlan },
  },
  CreateRunnerJobExecution: {
    method: "POST",
    path: "/v1/runner-jobs/{runner_job_id}/executions",
    request: z.null(),
    answers: { 201: jobExecution },
  },
  GetRunnerJobExecutions: {
    method: "GET",
    path: "/v1/runner-jobs/{runner_job_id}/executions",
    query: ["offset", "limit", "page"],
    answers: { 200: z.array(jobExecution) },
  },
  GetRunnerJobExecution: {
    method: "GET",
    path: "/v1/runner-jobs/{runner_job_id}/executions/{runner_job_execution_id}",
    answers: { 200: jobExecution },
  },
  UpdateRunnerJobExecution: {
    method: "PATCH",
    path: "/v1/runner-jobs/{runner_job_id}/executions/{runner_job_execution_id}",
    request: executionPatch.nullable(),
    answers: { 200: jobExecution },
  },
  CreateRunnerJobExecutionResult: {
    method: "POST",
    path: "/v1/runner-jobs/{runner_job_id}/executions/{runner_job_execution_id}/result",
    request: executionResultRequest,
    answers: { 201: executionResultAnswer },
  },
  CreateRunnerJobExecutionOutputs: {
    method: "POST",
    path: "/v1/runner-jobs/{runner_job_id}/executions/{runner_job_execution_id}/outputs",
    request: executionOutputsRequest,
    answers: { 201: executionOutputs },
  },
  LogStreamWriteLogs: { method: "POST", path: "/v1/log-streams/{log_stream_id}/logs", answers: { 201: written } },
  GetTerraformCurrentStateData: {
    method: "GET",
    path: "/v1/terraform-backend",
    query: ["workspace_id", "job_id", "token"],
    answers: { 200: stateDocument },
  },
  UpdateTerraformState: {
    method: "POST",
    path: "/v1/terraform-backend",
    query: ["workspace_id", "job_id", "token", "ID"],
    request: stateDocument,
    answers: { 200: emptyAnswer },
  },
  DeleteTerraformState: {
    method: "DELETE",
    path: "/v1/terraform-backend",
    query: ["workspace_id", "job_id", "token"],
    answers: { 200: emptyAnswer },
  },
  GetTerraformWorkspaces: { method: "GET", path: "/v1/terraform-workspaces", answers: { 200: z.array(workspaceRow) } },
  CreateTerraformWorkspace: {
    method: "POST",
    path: "/v1/terraform-workspaces",
    request: workspaceRequest,
    answers: { 201: workspaceRow },
  },
  GetTerraformWorkspace: {
    method: "GET",
    path: "/v1/terraform-workspaces/{workspace_id}",
    answers: { 200: workspaceRow },
  },
  DeleteTerraformWorkspace: {
    method: "DELETE",
    path: "/v1/terraform-workspaces/{workspace_id}",
    answers: { 200: workspaceRow },
  },
  LockTerraformWorkspace: {
    method: "POST",
    path: "/v1/terraform-workspaces/{workspace_id}/lock",
    query: ["job_id", "token"],
    request: lockDocument,
    answers: { 200: emptyAnswer, 409: lockDocument, 423: lockDocument },
  },
  UnlockTerraformWorkspace: {
    method: "POST",
    path: "/v1/terraform-workspaces/{workspace_id}/unlock",
    query: ["job_id", "token"],
    request: lockDocument,
    answers: { 200: emptyAnswer },
  },
  UpdateTerraformStateJSON: {
    method: "POST",
    path: "/v1/terraform-workspaces/{workspace_id}/state-json",
    query: ["job_id"],
    request: stateJsonBody,
    answers: { 200: stateJsonAnswer },
  },
  DeleteTerraformStateJSON: {
    method: "DELETE",
    path: "/v1/terraform-workspaces/{workspace_id}/states",
    answers: { 200: stateJsonAnswer },
  },
  GetInstallActionWorkflowRun: {
    method: "GET",
    path: "/v1/installs/{install_id}/action-workflows/runs/{run_id}",
    answers: { 200: actionRun },
  },
  UpdateInstallActionWorkflowRunStep: {
    method: "PUT",
    path: "/v1/installs/{install_id}/action-workflow-runs/{workflow_run_id}/steps/{step_id}",
    request: actionStepUpdate,
    answers: { 200: actionRunStep.partial() },
  },
  GetActionWorkflowConfig: {
    method: "GET",
    path: "/v1/action-workflows/configs/{action_workflow_config_id}",
    answers: { 200: actionWorkflowConfig },
  },
  GetActionWorkflowLatestConfig: {
    method: "GET",
    path: "/v1/action-workflows/{workflow_id}/latest-config",
    answers: { 200: actionWorkflowConfig },
  },
  GetRunnerAppConfig: { method: "GET", path: "/v1/apps/{app_id}/config/{app_config_id}", answers: { 200: appConfig } },
  GetInstallComponenetLastActivePlan: {
    method: "GET",
    path: "/v1/installs/{install_id}/{component_id}/last-active-plan",
    answers: { 200: lastActivePlan },
  },
  GetHelmReleases: {
    method: "GET",
    path: "/v1/helm-releases/{helm_chart_id}/releases/{namespace}",
    answers: { 200: z.array(helmRelease) },
  },
  QueryHelmRelease: {
    method: "GET",
    path: "/v1/helm-releases/{helm_chart_id}/releases/{namespace}/query",
    query: ["name", "owner", "status", "version", "createdAt", "modifiedAt"],
    answers: { 200: z.array(helmRelease) },
  },
  GetHelmRelease: {
    method: "GET",
    path: "/v1/helm-releases/{helm_chart_id}/releases/{namespace}/{key}",
    answers: { 200: helmRelease },
  },
  CreateHelmRelease: {
    method: "POST",
    path: "/v1/helm-releases/{helm_chart_id}/releases/{namespace}/{key}",
    request: helmRelease,
    answers: { 201: createdRelease },
  },
  UpdateHelmRelease: {
    method: "PUT",
    path: "/v1/helm-releases/{helm_chart_id}/releases/{namespace}/{key}",
    request: helmRelease,
    answers: { 200: helmAnswer },
  },
  DeleteHelmRelease: {
    method: "DELETE",
    path: "/v1/helm-releases/{helm_chart_id}/releases/{namespace}/{key}",
    answers: { 200: helmAnswer },
  },
  PublishMetrics: {
    method: "POST",
    path: "/v1/general/metrics",
    request: z.array(publishMetric),
    answers: { 201: publishMetricsAnswer },
  },
} as const satisfies Readonly<Record<string, Operation>>;
export type OperationName = keyof typeof OPERATIONS;
export const OPERATION_NAMES = Object.keys(OPERATIONS) as OperationName[];

/** Plan documents by the name of their schema in the document. */
export const PLANS = {
  "plantypes.BuildPlan": buildPlan,
  "plantypes.DeployPlan": deployPlan,
  "plantypes.ActionWorkflowRunPlan": actionWorkflowRunPlan,
  "plantypes.SyncSecretsPlan": syncSecretsPlan,
  "plantypes.SyncOCIPlan": syncOciPlan,
  "plantypes.SandboxRunPlan": sandboxRunPlan,
} as const;

/** A plan does not name its kind; the keys of its family do. */
function planOf(body: unknown): z.ZodType {
  const keys = new Set(Object.keys((body ?? {}) as object));
  if (keys.has("steps")) return actionWorkflowRunPlan;
  if (keys.has("kubernetes_secrets")) return syncSecretsPlan;
  if (keys.has("component_build_id")) return buildPlan;
  if (keys.has("local_archive") || (keys.has("git_source") && keys.has("terraform_backend"))) return sandboxRunPlan;
  if (keys.has("dst_registry")) return syncOciPlan;
  return deployPlan;
}

/** Fixed routes before those with a parameter in the same place: `…/query` is no key of a release. */
const MATCHERS = OPERATION_NAMES.map((name) => {
  const { method, path } = OPERATIONS[name];
  return { name, method, pattern: new RegExp(`^${path.replace(/\{\w+\}/g, "[^/]+")}$`), free: path.split("{").length };
}).sort((a, b) => a.free - b.free);

export function operationOf(method: string, path: string): OperationName | undefined {
  return MATCHERS.find((one) => one.method === method && one.pattern.test(path))?.name;
}
