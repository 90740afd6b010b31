import { z } from "zod";
import { actionRun, actionStepUpdate, actionWorkflowConfig } from "../../../protocol/nuon/actions.ts";
import { appConfig } from "../../../protocol/nuon/app-config.ts";
import { anyObject } from "../../../protocol/nuon/base.ts";
import { HELM_QUERY_KEYS, helmRelease, helmReleaseRow } from "../../../protocol/nuon/helm.ts";
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
} from "../../../protocol/nuon/jobs.ts";
import { compositePlan, lastActivePlan } from "../../../protocol/nuon/other-plans.ts";
import { healthCheck, healthCheckRequest, runnerDocument } from "../../../protocol/nuon/runners.ts";
import { runnerSettings } from "../../../protocol/nuon/settings.ts";
import {
  metricExportRequest,
  publishMetric,
  publishMetricsAnswer,
  traceExportRequest,
} from "../../../protocol/nuon/telemetry.ts";
import {
  emptyAnswer,
  lockDocument,
  stateJsonAnswer,
  stateJsonBody,
  workspaceRequest,
  workspaceRow,
} from "../../../protocol/nuon/terraform.ts";
import { RETRY } from "../../../protocol/retry.ts";
import { DELETE, GET, PATCH, POST, PUT } from "./operation.ts";

/** Asked again by itself soon: a poll, a beat, a look. */
const ONE_TRY = { tries: 1, base_ms: 0, cap_ms: 0, timeout_ms: 5_000 };
/** A repeated reservation can cancel the job (a second execution is over its maximum). */
const RESERVE = { ...ONE_TRY, timeout_ms: 15_000 };

const runners = "/v1/runners/{runner_id}";
const job = "/v1/runner-jobs/{runner_job_id}";
const execution = `${job}/executions/{runner_job_execution_id}` as const;
const workspace = "/v1/terraform-workspaces/{workspace_id}";
const releases = "/v1/helm-releases/{helm_chart_id}/releases/{namespace}";
const paging = ["offset", "limit", "page"] as const;
const backend = ["workspace_id", "job_id", "token"] as const;
const lock = ["job_id", "token"] as const;
const text = "text";
const written = z.literal("ok");
/** null on the real server; others answer the release, which Helm's own driver takes too. */
const changed = helmRelease.nullable();

/**
 * The 45 operations of the Nuon runner API by their operation id. Routes, statuses and bodies are those of the real
 * server's recordings, also where its own description says otherwise.
 */
export const NUON = {
  GetRunner: GET({ path: runners, answer: runnerDocument, rule: RETRY.fetch }),
  /** Broken on the real server: 500, always. */
  UpdateRunnerJobV2Broken: PATCH({ path: runners, body: jobPatch, answer: anyObject, rule: ONE_TRY }),
  GetRunnerSettings: GET({ path: `${runners}/settings`, answer: runnerSettings, rule: RETRY.fetch }),
  CreateRunnerHeartBeat: POST({
    path: `${runners}/heart-beats`,
    body: heartBeatRequest,
    success: [201],
    answer: heartBeat,
    rule: ONE_TRY,
  }),
  /** Writes a row of the server's own health history; says nothing that a heart-beat does not. */
  CreateRunnerHealthCheck: POST({
    path: `${runners}/health-checks`,
    body: healthCheckRequest,
    success: [201],
    answer: healthCheck,
    rule: ONE_TRY,
  }),
  /** One resource at most: with two the real server never ends (8.5). */
  RunnerOtelWriteTraces: POST({
    path: `${runners}/traces`,
    body: traceExportRequest,
    answer: written,
    rule: ONE_TRY,
  }),
  /** One resource and one point per metric: the real server reads the point at the resource's index (8.5). */
  RunnerOtelWriteMetrics: POST({
    path: `${runners}/metrics`,
    body: metricExportRequest,
    success: [201],
    answer: written,
    rule: ONE_TRY,
  }),
  PublishMetrics: POST({
    path: "/v1/general/metrics",
    body: z.array(publishMetric),
    success: [201],
    answer: publishMetricsAnswer,
    rule: ONE_TRY,
  }),

  /** Newest first, ten unless `limit` says more (100 at most). Each job is read by itself: one that is odd hides no other. */
  GetRunnerJobs: GET({
    path: `${runners}/jobs`,
    query: ["group", "status", ...paging],
    answer: z.array(z.unknown()).nullable(),
    rule: ONE_TRY,
  }),
  GetRunnerJobV2: GET({ path: `${runners}/jobs/{job_id}`, answer: runnerJob, rule: RETRY.fetch }),
  GetRunnerJobPlanV2: GET({ path: `${runners}/jobs/{job_id}/plan`, answer: text, rule: RETRY.fetch }),
  GetRunnerJob: GET({ path: job, answer: runnerJob, rule: RETRY.fetch }),
  UpdateRunnerJob: PATCH({ path: job, body: jobPatch, answer: anyObject, rule: RETRY.report }),
  GetRunnerJobPlan: GET({ path: `${job}/plan`, answer: text, rule: RETRY.fetch }),

  /** The real server has it on its public engine only. */
  GetRunnerJobCompositePlan: GET({ path: `${job}/composite-plan`, answer: compositePlan, rule: RETRY.fetch }),

  /** The header X-Nuon-Client-Version stays with the execution as its metadata's `client.version`. */
  CreateRunnerJobExecution: POST({
    path: `${job}/executions`,
    body: z.null(),
    success: [201],
    answer: jobExecution,
    rule: RESERVE,
  }),
  GetRunnerJobExecutions: GET({
    path: `${job}/executions`,
    query: paging,
    answer: z.array(jobExecution).nullable(),
    rule: RETRY.fetch,
  }),
  GetRunnerJobExecution: GET({ path: execution, answer: jobExecution, rule: RETRY.fetch }),
  /** 200 also for an execution that does not exist: only a reading proves it. */
  UpdateRunnerJobExecution: PATCH({
    path: execution,
    body: executionPatch,
    answer: jobExecution.nullable(),
    rule: RETRY.report,
  }),
  /** Without contents it is taken and dropped; a second one is refused as `duplicate key`. */
  CreateRunnerJobExecutionResult: POST({
    path: `${execution}/result`,
    body: executionResultRequest,
    success: [201],
    answer: executionResultAnswer,
    rule: RETRY.report,
  }),
  CreateRunnerJobExecutionOutputs: POST({
    path: `${execution}/outputs`,
    body: executionOutputsRequest,
    success: [201],
    answer: executionOutputs,
    rule: RETRY.report,
  }),

  /** Uncompressed; a request without a record is a 500. Sending it again would double the lines, so any 2xx counts. */
  LogStreamWriteLogs: POST({
    path: "/v1/log-streams/{log_stream_id}/logs",
    body: "protobuf",
    success: [201],
    answer: text,
    rule: RETRY.logs,
  }),

  /** Empty (204): no state yet, and also an unknown workspace. */
  GetTerraformCurrentStateData: GET({
    path: "/v1/terraform-backend",
    query: backend,
    success: [200, 204],
    answer: text,
    rule: RETRY.fetch,
  }),
  UpdateTerraformState: POST({
    path: "/v1/terraform-backend",
    query: [...backend, "ID"],
    body: "state",
    answer: emptyAnswer,
    rule: RETRY.fetch,
  }),
  /** Deletes nothing on the real server. */
  DeleteTerraformState: DELETE({
    path: "/v1/terraform-backend",
    query: backend,
    answer: emptyAnswer,
    rule: RETRY.fetch,
  }),
  /** Held, also by the same lock: 400 `duplicate key`. */
  LockTerraformWorkspace: POST({
    path: `${workspace}/lock`,
    query: lock,
    body: lockDocument,
    answer: emptyAnswer,
    rule: RETRY.fetch,
  }),
  /** Frees whatever lock is there, whoever holds it. */
  UnlockTerraformWorkspace: POST({
    path: `${workspace}/unlock`,
    query: lock,
    body: lockDocument,
    answer: emptyAnswer,
    rule: RETRY.fetch,
  }),
  UpdateTerraformStateJSON: POST({
    path: `${workspace}/state-json`,
    query: ["job_id"],
    body: stateJsonBody,
    answer: stateJsonAnswer,
    rule: RETRY.fetch,
  }),
  DeleteTerraformStateJSON: DELETE({ path: `${workspace}/states`, answer: stateJsonAnswer, rule: RETRY.fetch }),

  GetTerraformWorkspaces: GET({
    path: "/v1/terraform-workspaces",
    answer: z.array(workspaceRow).nullable(),
    rule: RETRY.fetch,
  }),
  CreateTerraformWorkspace: POST({
    path: "/v1/terraform-workspaces",
    body: workspaceRequest,
    success: [201],
    answer: workspaceRow,
    rule: RETRY.fetch,
  }),
  GetTerraformWorkspace: GET({ path: workspace, answer: workspaceRow, rule: RETRY.fetch }),
  DeleteTerraformWorkspace: DELETE({ path: workspace, answer: workspaceRow, rule: RETRY.fetch }),

  GetInstallActionWorkflowRun: GET({
    path: "/v1/installs/{install_id}/action-workflows/runs/{run_id}",
    answer: actionRun,
    rule: RETRY.fetch,
  }),
  UpdateInstallActionWorkflowRunStep: PUT({
    path: "/v1/installs/{install_id}/action-workflow-runs/{workflow_run_id}/steps/{step_id}",
    body: actionStepUpdate,
    answer: actionStepUpdate,
    rule: RETRY.report,
  }),
  GetActionWorkflowConfig: GET({
    path: "/v1/action-workflows/configs/{action_workflow_config_id}",
    answer: actionWorkflowConfig,
    rule: RETRY.fetch,
  }),
  /** Broken on the real server: 404, always. */
  GetActionWorkflowLatestConfig: GET({
    path: "/v1/action-workflows/{workflow_id}/latest-config",
    answer: actionWorkflowConfig,
    rule: RETRY.fetch,
  }),
  GetRunnerAppConfig: GET({
    path: "/v1/apps/{app_id}/config/{app_config_id}",
    answer: appConfig,
    rule: RETRY.fetch,
  }),
  /** null while there are fewer than two active deploys. */
  GetInstallComponenetLastActivePlan: GET({
    path: "/v1/installs/{install_id}/{component_id}/last-active-plan",
    answer: lastActivePlan,
    rule: RETRY.fetch,
  }),

  GetHelmReleases: GET({ path: releases, answer: z.array(helmRelease).nullable(), rule: RETRY.fetch }),
  QueryHelmRelease: GET({
    path: `${releases}/query`,
    query: HELM_QUERY_KEYS,
    answer: z.array(helmRelease).nullable(),
    rule: RETRY.fetch,
  }),
  /** Missing: 500 on the real server. */
  GetHelmRelease: GET({ path: `${releases}/{key}`, answer: helmRelease, rule: RETRY.fetch }),
  /** There already: 400 `duplicate key`. */
  CreateHelmRelease: POST({
    path: `${releases}/{key}`,
    body: helmRelease,
    success: [201],
    answer: z.union([helmReleaseRow, helmRelease]),
    rule: RETRY.fetch,
  }),
  /** 200 also when there is none. */
  UpdateHelmRelease: PUT({ path: `${releases}/{key}`, body: helmRelease, answer: changed, rule: RETRY.fetch }),
  /** 200 also when there is none. */
  DeleteHelmRelease: DELETE({ path: `${releases}/{key}`, answer: changed, rule: RETRY.fetch }),
} as const;
