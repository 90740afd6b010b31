import { z } from "zod";
import { actionRun, actionStepUpdate, actionWorkflowConfig } from "../../internal/protocol/nuon/actions.ts";
import { appConfig } from "../../internal/protocol/nuon/app-config.ts";
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
import { buildPlan, sandboxRunPlan, syncOciPlan, syncSecretsPlan } from "../../internal/protocol/nuon/other-plans.ts";
import { actionWorkflowRunPlan, deployPlan } from "../../internal/protocol/nuon/plans.ts";
import { runnerSettings } from "../../internal/protocol/nuon/settings.ts";
import {
  emptyAnswer,
  lockDocument,
  stateDocument,
  stateJsonAnswer,
  stateJsonBody,
} from "../../internal/protocol/nuon/terraform.ts";

/** A baseline operation: where it lies and what its bodies are. `answers`: by status; other success statuses are a peer's mistake. */
export interface Operation {
  readonly method: string;
  readonly path: RegExp;
  readonly request?: z.ZodType;
  readonly answers: Readonly<Record<number, z.ZodType | ((body: unknown) => z.ZodType)>>;
}

const execution = /^\/v1\/runner-jobs\/[^/]+\/executions/.source;
const at = (end: string) => new RegExp(`${execution}${end}$`);

/** Every operation that the real Go runner calls in the recordings, but for helm storage. */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  settings: { method: "GET", path: /^\/v1\/runners\/[^/]+\/settings$/, answers: { 200: runnerSettings } },
  "heart-beat": {
    method: "POST",
    path: /^\/v1\/runners\/[^/]+\/heart-beats$/,
    request: heartBeatRequest,
    answers: { 201: heartBeat },
  },
  jobs: { method: "GET", path: /^\/v1\/runners\/[^/]+\/jobs$/, answers: { 200: z.array(runnerJob) } },
  job: { method: "GET", path: /^\/v1\/runner-jobs\/[^/]+$/, answers: { 200: runnerJob } },
  "job update": {
    method: "PATCH",
    path: /^\/v1\/runner-jobs\/[^/]+$/,
    request: jobPatch,
    answers: { 200: runnerJob.partial() },
  },
  plan: { method: "GET", path: /^\/v1\/runner-jobs\/[^/]+\/plan$/, answers: { 200: planOf } },
  reserve: { method: "POST", path: at(""), request: z.null(), answers: { 201: jobExecution } },
  executions: { method: "GET", path: at(""), answers: { 200: z.array(jobExecution) } },
  execution: { method: "GET", path: at("/[^/]+"), answers: { 200: jobExecution } },
  "execution update": {
    method: "PATCH",
    path: at("/[^/]+"),
    request: executionPatch.nullable(),
    answers: { 200: jobExecution },
  },
  result: {
    method: "POST",
    path: at("/[^/]+/result"),
    request: executionResultRequest,
    answers: { 201: executionResultAnswer },
  },
  outputs: {
    method: "POST",
    path: at("/[^/]+/outputs"),
    request: executionOutputsRequest,
    answers: { 201: executionOutputs },
  },
  logs: { method: "POST", path: /^\/v1\/log-streams\/[^/]+\/logs$/, answers: { 201: z.literal("ok") } },
  "read state": { method: "GET", path: /^\/v1\/terraform-backend$/, answers: { 200: stateDocument } },
  "write state": {
    method: "POST",
    path: /^\/v1\/terraform-backend$/,
    request: stateDocument,
    answers: { 200: emptyAnswer },
  },
  "delete state": { method: "DELETE", path: /^\/v1\/terraform-backend$/, answers: { 200: emptyAnswer } },
  lock: {
    method: "POST",
    path: /^\/v1\/terraform-workspaces\/[^/]+\/lock$/,
    request: lockDocument,
    answers: { 200: emptyAnswer, 409: lockDocument, 423: lockDocument },
  },
  unlock: {
    method: "POST",
    path: /^\/v1\/terraform-workspaces\/[^/]+\/unlock$/,
    request: lockDocument,
    answers: { 200: emptyAnswer },
  },
  "state as JSON": {
    method: "POST",
    path: /^\/v1\/terraform-workspaces\/[^/]+\/state-json$/,
    request: stateJsonBody,
    answers: { 200: stateJsonAnswer },
  },
  "action run": {
    method: "GET",
    path: /^\/v1\/installs\/[^/]+\/action-workflows\/runs\/[^/]+$/,
    answers: { 200: actionRun },
  },
  "action step": {
    method: "PUT",
    path: /^\/v1\/installs\/[^/]+\/action-workflow-runs\/[^/]+\/steps\/[^/]+$/,
    request: actionStepUpdate,
    answers: { 200: actionStepUpdate },
  },
  "action config": {
    method: "GET",
    path: /^\/v1\/action-workflows\/configs\/[^/]+$/,
    answers: { 200: actionWorkflowConfig },
  },
  "app config": { method: "GET", path: /^\/v1\/apps\/[^/]+\/config\/[^/]+$/, answers: { 200: appConfig } },
};

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

export function operationOf(method: string, path: string): string | undefined {
  return Object.keys(OPERATIONS).find((name) => {
    const operation = OPERATIONS[name];
    return operation?.method === method && operation.path.test(path);
  });
}
