import type { GoResponse, GoTransport } from "./http.ts";

/** Why a call of the SDK failed; the runner treats all of them alike. */
export class SdkError extends Error {
  constructor(
    readonly operation: string,
    /** 0: no answer, or one that could not be decoded. */
    readonly status: number,
    message: string,
  ) {
    super(`${operation}: ${message}`);
  }
}

/** Go types of the fields that the runner reads: decoding one of another type fails the whole answer. */
type Kind = "string" | "int64" | "bool" | "strings" | "map" | "any" | readonly [Shape] | Shape;
export interface Shape {
  readonly [field: string]: Kind;
}

export type Doc = Readonly<Record<string, unknown>>;

const SETTINGS: Shape = {
  container_image_url: "string",
  container_image_tag: "string",
  sandbox_mode: "bool",
  heart_beat_timeout: "int64",
  enable_sentry: "bool",
  enable_metrics: "bool",
  enable_logging: "bool",
  logging_level: "string",
  groups: "strings",
  metadata: "map",
  aws_instance_type: "string",
  aws_cloudformation_stack_type: "string",
  aws_max_instance_lifetime: "int64",
};
const EXECUTION: Shape = { id: "string", runner_job_id: "string", status: "string", metadata: "map" };
const JOB: Shape = {
  id: "string",
  created_at: "string",
  updated_at: "string",
  owner_id: "string",
  log_stream_id: "string",
  queue_timeout: "int64",
  available_timeout: "int64",
  execution_timeout: "int64",
  overall_timeout: "int64",
  max_executions: "int64",
  execution_count: "int64",
  execution_time: "int64",
  status: "string",
  status_description: "string",
  type: "string",
  group: "string",
  operation: "string",
  metadata: "map",
  executions: [EXECUTION],
  started_at: "string",
  finished_at: "string",
};
const ACTION_RUN: Shape = {
  id: "string",
  action_workflow_config_id: "string",
  run_env_vars: "map",
  steps: [{ id: "string", step_id: "string", status: "string", execution_duration: "int64" }],
};
const ACTION_CONFIG: Shape = {
  id: "string",
  action_workflow_id: "string",
  timeout: "int64",
  steps: [
    { id: "string", idx: "int64", name: "string", command: "string", inline_contents: "string", env_vars: "map" },
  ],
};
const APP_CONFIG: Shape = {
  id: "string",
  component_config_connections: [{ component_id: "string", terraform_module: { version: "string" }, helm: "any" }],
  sandbox: { terraform_version: "string" },
};
const HEART_BEAT: Shape = {
  id: "string",
  runner_id: "string",
  alive_time: "int64",
  version: "string",
  process: "string",
};

interface Call {
  readonly operation: string;
  readonly method: string;
  readonly path: string;
  /** The one status the generated reader takes for success. */
  readonly success: 200 | 201;
  readonly body?: unknown;
  readonly timeoutMs?: number;
  readonly answer: "text" | "any" | Shape | readonly [Shape];
}

export type Sdk = ReturnType<typeof createSdk>;

/**
 * nuon-runner-go v0.20.0 as the runner uses it: single tries, compact JSON bodies with a newline, exactly one success
 * status per operation, the decoder chosen by the content type (nuon-runner-api.md 1.3, 1.7, 1.8).
 */
export function createSdk(transport: GoTransport, token: string, version = "development") {
  async function call(wanted: Call): Promise<unknown> {
    const { operation, method, path, body } = wanted;
    const payload = body === undefined ? undefined : Buffer.from(`${JSON.stringify(body)}\n`);
    const headers: Record<string, string> = {
      Accept: "application/json",
      Authorization: `Bearer ${token}`,
      "X-Nuon-Client-Version": `runner:${version}`,
      ...(payload === undefined ? {} : { "Content-Type": "application/json" }),
    };
    const response = await transport
      .send({
        method,
        path,
        headers,
        ...(payload === undefined ? {} : { body: payload }),
        ...(wanted.timeoutMs === undefined ? {} : { timeoutMs: wanted.timeoutMs }),
      })
      .catch((error: Error) => {
        throw new SdkError(operation, 0, error.message);
      });
    return read(wanted, response);
  }

  const doc = async (wanted: Call): Promise<Doc> => ((await call(wanted)) ?? {}) as Doc;
  const job = (id: string) => `/v1/runner-jobs/${id}`;
  const execution = (jobId: string, id: string) => `${job(jobId)}/executions/${id}`;

  return {
    settings: (runner: string, timeoutMs = 1_000) =>
      doc({
        operation: "GetRunnerSettings",
        method: "GET",
        path: `/v1/runners/${runner}/settings`,
        success: 200,
        timeoutMs,
        answer: SETTINGS,
      }),
    heartBeat: (runner: string, beat: { alive_time: number; process?: string; version: string }) =>
      doc({
        operation: "CreateRunnerHeartBeat",
        method: "POST",
        path: `/v1/runners/${runner}/heart-beats`,
        success: 201,
        body: beat,
        answer: HEART_BEAT,
      }),
    jobs: async (runner: string, group: string) =>
      ((await call({
        operation: "GetRunnerJobs",
        method: "GET",
        path: `/v1/runners/${runner}/jobs?group=${group}`,
        success: 200,
        timeoutMs: 5_000,
        answer: [JOB],
      })) ?? []) as Doc[],
    job: (id: string) => doc({ operation: "GetRunnerJob", method: "GET", path: job(id), success: 200, answer: JOB }),
    patchJob: (id: string, status: string) =>
      doc({
        operation: "UpdateRunnerJob",
        method: "PATCH",
        path: job(id),
        success: 200,
        body: { status },
        answer: JOB,
      }),
    plan: async (id: string) =>
      String(
        (await call({
          operation: "GetRunnerJobPlan",
          method: "GET",
          path: `${job(id)}/plan`,
          success: 200,
          answer: "text",
        })) ?? "",
      ),
    reserve: (id: string) =>
      doc({
        operation: "CreateRunnerJobExecution",
        method: "POST",
        path: `${job(id)}/executions`,
        success: 201,
        body: null,
        answer: EXECUTION,
      }),
    patchExecution: (jobId: string, id: string, status: string) =>
      doc({
        operation: "UpdateRunnerJobExecution",
        method: "PATCH",
        path: execution(jobId, id),
        success: 200,
        body: { status },
        answer: EXECUTION,
      }),
    result: (jobId: string, id: string, body: unknown) =>
      doc({
        operation: "CreateRunnerJobExecutionResult",
        method: "POST",
        path: `${execution(jobId, id)}/result`,
        success: 201,
        body,
        answer: { id: "string" },
      }),
    outputs: (jobId: string, id: string, outputs: unknown) =>
      doc({
        operation: "CreateRunnerJobExecutionOutputs",
        method: "POST",
        path: `${execution(jobId, id)}/outputs`,
        success: 201,
        body: { outputs },
        answer: { id: "string", runner_job_execution_id: "string" },
      }),
    actionRun: (install: string, run: string) =>
      doc({
        operation: "GetInstallActionWorkflowRun",
        method: "GET",
        path: `/v1/installs/${install}/action-workflows/runs/${run}`,
        success: 200,
        answer: ACTION_RUN,
      }),
    actionConfig: (id: string) =>
      doc({
        operation: "GetActionWorkflowConfig",
        method: "GET",
        path: `/v1/action-workflows/configs/${id}`,
        success: 200,
        answer: ACTION_CONFIG,
      }),
    /** The workflow's id stands where the run's should (recorded). */
    actionStep: (install: string, workflow: string, step: string, status: string, durationNs: number) =>
      doc({
        operation: "UpdateInstallActionWorkflowRunStep",
        method: "PUT",
        path: `/v1/installs/${install}/action-workflow-runs/${workflow}/steps/${step}`,
        success: 200,
        body: { execution_duration: durationNs, status },
        answer: { status: "string", execution_duration: "int64" },
      }),
    appConfig: (app: string, config: string) =>
      doc({
        operation: "GetRunnerAppConfig",
        method: "GET",
        path: `/v1/apps/${app}/config/${config}`,
        success: 200,
        answer: APP_CONFIG,
      }),
    /** A Go byte slice in a JSON body: a string of base64. */
    stateJson: (workspace: string, jobId: string, json: Uint8Array) =>
      doc({
        operation: "UpdateTerraformStateJSON",
        method: "POST",
        path: `/v1/terraform-workspaces/${workspace}/state-json?job_id=${jobId}`,
        success: 200,
        body: Buffer.from(json).toString("base64"),
        answer: "any",
      }),
    unlock: (workspace: string) =>
      doc({
        operation: "UnlockTerraformWorkspace",
        method: "POST",
        path: `/v1/terraform-workspaces/${workspace}/unlock`,
        success: 200,
        body: {},
        answer: { message: "string" },
      }),
  };
}

/** Statuses whose body the generated readers decode into the error model. */
const MODELLED = [400, 401, 403, 404, 500];

function read(wanted: Call, response: GoResponse): unknown {
  const { operation, success, answer } = wanted;
  const { status } = response;
  if (status !== success) {
    if (!MODELLED.includes(status)) throw new SdkError(operation, status, `unexpected status ${status}`);
    const error = decode(operation, response, { error: "string", user_error: "bool", description: "string" });
    throw new SdkError(operation, status, String((error as Doc | undefined)?.error ?? ""));
  }
  return decode(operation, response, answer);
}

function decode(operation: string, response: GoResponse, answer: Call["answer"]): unknown {
  const type = (response.headers.get("content-type") ?? "application/json").split(";")[0]?.trim() ?? "";
  if (response.body.length === 0) return undefined;
  const text = response.body.toString("utf8");
  const wrong = (what: string) => new SdkError(operation, 0, what);
  if (type === "text/plain" || type === "text/html") {
    if (answer === "text") return text;
    throw wrong(`${type} cannot be decoded into a model: ${text.slice(0, 200)}`);
  }
  if (type !== "application/json" && !type.endsWith("+json")) throw wrong(`no consumer for ${type}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw wrong(`invalid JSON: ${text.slice(0, 200)}`);
  }
  const fault =
    answer === "text" ? (typeof value === "string" ? null : "a string was expected") : faultOf(value, answer, "");
  if (fault !== null) throw wrong(fault);
  return value;
}

/** What Go's decoder would say; null is the zero value of everything, unknown fields are ignored. */
function faultOf(value: unknown, kind: Kind, at: string): string | null {
  if (value === null || value === undefined || kind === "any") return null;
  const mismatch = `cannot unmarshal ${JSON.stringify(value)?.slice(0, 80)} into ${at === "" ? "the answer" : at}`;
  if (typeof kind === "string") return isKind(value, kind) ? null : mismatch;
  if (Array.isArray(kind)) {
    if (!Array.isArray(value)) return mismatch;
    return value.map((one, index) => faultOf(one, kind[0], `${at}[${index}]`)).find((fault) => fault !== null) ?? null;
  }
  if (typeof value !== "object" || Array.isArray(value)) return mismatch;
  for (const [field, inner] of Object.entries(kind as Shape)) {
    const fault = faultOf((value as Doc)[field], inner, at === "" ? field : `${at}.${field}`);
    if (fault !== null) return fault;
  }
  return null;
}

function isKind(value: unknown, kind: string): boolean {
  switch (kind) {
    case "string":
      return typeof value === "string";
    case "int64":
      return Number.isSafeInteger(value);
    case "bool":
      return typeof value === "boolean";
    case "strings":
      return Array.isArray(value) && value.every((one) => typeof one === "string");
    default:
      return (
        typeof value === "object" && Object.values(value ?? {}).every((one) => one === null || typeof one === "string")
      );
  }
}
