import { z } from "zod";
import {
  claimRequest,
  completeRequest,
  LOG_HEADERS,
  renewRequest,
  runnerEvent,
  sessionRequest,
} from "../../internal/protocol/native.ts";
import { actionStepUpdate } from "../../internal/protocol/nuon/actions.ts";
import { helmRelease } from "../../internal/protocol/nuon/helm.ts";
import {
  executionOutputsRequest,
  executionPatch,
  executionResultRequest,
  heartBeatRequest,
  jobPatch,
} from "../../internal/protocol/nuon/jobs.ts";
import { healthCheckRequest } from "../../internal/protocol/nuon/runners.ts";
import { metricExportRequest, traceExportRequest } from "../../internal/protocol/nuon/telemetry.ts";
import { workspaceRequest } from "../../internal/protocol/nuon/terraform.ts";
import { tokenExchange } from "../../internal/protocol/token-exchange.ts";
import { MATRIX } from "../integration/routes-matrix.ts";
import type { Operation, Parameter } from "./openapi-requests.ts";
import { type Schema, schemaShape } from "./openapi-values.ts";

/** JSON Schema of a body as it comes in; what has no JSON form stays free. */
const fromZod = (schema: z.ZodType): Schema =>
  schemaShape.parse(z.toJSONSchema(schema, { io: "input", unrepresentable: "any", reused: "inline" }));

const STATE: Schema = {
  type: "object",
  required: ["version", "serial", "lineage"],
  properties: {
    version: { type: "integer", minimum: 3, maximum: 5 },
    terraform_version: { type: "string" },
    serial: { type: "integer", maximum: 50 },
    lineage: { type: "string" },
    outputs: { type: "object", additionalProperties: {} },
    resources: { type: "array", items: { type: "object", additionalProperties: {} } },
  },
};
const LOCK: Schema = {
  type: "object",
  required: ["ID"],
  properties: {
    ID: { type: "string" },
    Operation: { type: "string" },
    Info: { type: "string" },
    Who: { type: "string" },
  },
};

/** By the end of a route: the schema of its body. What is not named gets any JSON. */
const BODIES: Readonly<Record<string, Schema>> = {
  "/token-exchange": fromZod(tokenExchange),
  "/sessions": fromZod(sessionRequest),
  "/claims": fromZod(claimRequest),
  "/renewals": fromZod(renewRequest),
  "/completions": fromZod(completeRequest),
  "/events": fromZod(runnerEvent),
  "/heart-beats": fromZod(heartBeatRequest),
  "/result": fromZod(executionResultRequest),
  "/outputs": fromZod(executionOutputsRequest),
  "/runner-jobs/:job_id": fromZod(jobPatch),
  "/executions/:execution_id": fromZod(executionPatch),
  "/steps/:step_id": fromZod(actionStepUpdate),
  "/terraform-backend": STATE,
  "/lock": LOCK,
  "/unlock": LOCK,
  "/health-checks": fromZod(healthCheckRequest),
  "/traces": fromZod(traceExportRequest),
  "/metrics": fromZod(metricExportRequest),
  "/terraform-workspaces": fromZod(workspaceRequest),
  "/releases/:namespace/:key": fromZod(helmRelease),
};

const TEXT: Schema = { type: "string" };
const query = (...names: string[]): Parameter[] => names.map((name) => ({ name, in: "query", schema: TEXT }));
const NUMBER: Schema = { type: "integer", maximum: 200 };
const PARAMETERS: Readonly<Record<string, readonly Parameter[]>> = {
  "/jobs": query("group", "status", "limit"),
  "/terraform-backend": query("workspace_id", "ID", "job_id", "token"),
  "/lock": query("job_id"),
  "/unlock": query("job_id"),
  "/state-json": query("job_id"),
  "/query": query("name", "owner", "status", "version", "modifiedAt"),
  "/terraform-workspaces": query("owner_id", "limit", "offset", "page"),
  "/logs": [
    { name: LOG_HEADERS.execution, in: "header", schema: TEXT },
    { name: LOG_HEADERS.epoch, in: "header", schema: { type: "integer", maximum: 2 } },
    { name: LOG_HEADERS.from, in: "header", schema: NUMBER },
    { name: LOG_HEADERS.to, in: "header", schema: NUMBER },
  ],
};

const endOf = <T>(table: Readonly<Record<string, T>>, path: string): T | undefined =>
  Object.entries(table).find(([end]) => path.endsWith(end))?.[1];

/** Every route of the runner's API, baseline and extension, and of `/v2/`, from the table that lists them all. */
export const RUNNER_OPERATIONS: readonly Operation[] = MATRIX.filter(
  ({ route }) => / \/v[12]\//.test(route) && !route.startsWith("ALL "),
).map(({ route }): Operation => {
  const [method = "", path = ""] = route.split(" ");
  const takesBody = method !== "GET" && method !== "HEAD";
  return {
    method,
    path: path.replace(/:(\w+)/g, "{$1}"),
    parameters: endOf(PARAMETERS, path) ?? [],
    body: takesBody ? { type: "application/json", schema: endOf(BODIES, path) ?? {} } : null,
  };
});
