import { newId } from "../../internal/protocol/ids.ts";
import { type DecodedLogs, decodeLogsRequest } from "../../internal/protocol/otlp.ts";
import { type Answer, type ScriptedServer, type Seen, startScriptedServer } from "./scripted-server.ts";

export interface TestJob {
  readonly id: string;
  readonly type: string;
  readonly group: string;
  status: string;
  readonly [key: string]: unknown;
}

export interface TestExecution {
  readonly id: string;
  readonly jobId: string;
  readonly createdAt: string;
  readonly clientVersion: string;
  status: string;
  readonly statuses: string[];
  result: unknown;
  outputs: unknown;
}

/**
 * A small control plane that behaves as the real Nuon server does where a runner can notice (nuon-runner-api.md,
 * viewpoint S): nothing is checked, a second reservation cancels the job, error results vanish, lists are newest first.
 */
export interface NuonServer extends ScriptedServer {
  readonly runnerId: string;
  readonly token: string;
  readonly jobs: readonly TestJob[];
  readonly executions: readonly TestExecution[];
  readonly steps: { readonly id: string; readonly status: string; readonly execution_duration: number }[];
  readonly logs: readonly DecodedLogs[];
  readonly states: ReadonlyMap<string, readonly string[]>;
  readonly locks: ReadonlyMap<string, string>;
  readonly stateJson: ReadonlyMap<string, string>;
  /** Changed in place. */
  readonly settings: Record<string, unknown>;
  /** GET path → document, for what a handler fetches. */
  readonly documents: Record<string, unknown>;
  addJob(job: Partial<TestJob> & { readonly plan?: string }): TestJob;
}

interface World {
  readonly jobs: TestJob[];
  readonly executions: TestExecution[];
  readonly steps: NuonServer["steps"];
  readonly logs: DecodedLogs[];
  readonly plans: Map<string, string>;
  readonly states: Map<string, string[]>;
  readonly locks: Map<string, string>;
  readonly stateJson: Map<string, string>;
  readonly serve: { settings: Record<string, unknown>; documents: Record<string, unknown> };
}

const NOT_FOUND: Answer = {
  status: 404,
  body: { error: "record not found", user_error: true, description: "not found" },
};
const DUPLICATE: Answer = {
  status: 400,
  body: { error: "duplicated key not allowed", user_error: true, description: "duplicate key" },
};

type Handler = (world: World, request: Seen, ids: readonly string[]) => Answer;

const ROUTES: readonly (readonly [method: string, path: RegExp, handler: Handler])[] = [
  ["GET", /^\/v1\/runners\/[^/]+\/settings$/, ({ serve }) => ({ status: 200, body: serve.settings })],
  [
    "POST",
    /^\/v1\/runners\/[^/]+\/heart-beats$/,
    (_, { body }) => ({ status: 201, body: { id: newId("heartBeat"), ...json(body) } }),
  ],
  ["POST", /^\/v1\/general\/metrics$/, () => ({ status: 201, body: { status: "ok" } })],
  ["POST", /^\/v1\/runners\/[^/]+\/metrics$/, () => ({ status: 201, body: '"ok"' })],
  ["GET", /^\/v1\/runners\/[^/]+\/jobs$/, listJobs],
  ["GET", /^\/v1\/runner-jobs\/([^/]+)$/, getJob],
  ["PATCH", /^\/v1\/runner-jobs\/([^/]+)$/, patchJob],
  ["GET", /^\/v1\/runner-jobs\/([^/]+)\/plan$/, getPlan],
  ["POST", /^\/v1\/runner-jobs\/([^/]+)\/executions$/, reserve],
  [
    "GET",
    /^\/v1\/runner-jobs\/([^/]+)\/executions$/,
    (world, _, [job]) => ({ status: 200, body: world.executions.filter((one) => one.jobId === job).map(row) }),
  ],
  [
    "GET",
    /^\/v1\/runner-jobs\/[^/]+\/executions\/([^/]+)$/,
    (world, _, [id]) => withExecution(world, id, (one) => ({ status: 200, body: row(one) })),
  ],
  ["PATCH", /^\/v1\/runner-jobs\/[^/]+\/executions\/([^/]+)$/, patchExecution],
  ["POST", /^\/v1\/runner-jobs\/[^/]+\/executions\/([^/]+)\/result$/, postResult],
  ["POST", /^\/v1\/runner-jobs\/[^/]+\/executions\/([^/]+)\/outputs$/, postOutputs],
  ["POST", /^\/v1\/log-streams\/[^/]*\/logs$/, postLogs],
  ["PUT", /^\/v1\/installs\/[^/]+\/action-workflow-runs\/[^/]+\/steps\/([^/]+)$/, putStep],
  ["GET", /^\/v1\/terraform-backend$/, readState],
  ["POST", /^\/v1\/terraform-backend$/, writeState],
  ["POST", /^\/v1\/terraform-workspaces\/([^/]+)\/lock$/, lock],
  ["POST", /^\/v1\/terraform-workspaces\/([^/]+)\/unlock$/, unlock],
  ["POST", /^\/v1\/terraform-workspaces\/([^/]+)\/state-json$/, putStateJson],
];

export async function startNuonServer(): Promise<NuonServer> {
  const [runnerId, token] = [newId("runner"), "a-runner-token-for-tests"];
  const settings = {
    id: newId("settings"),
    heart_beat_timeout: 5_000_000_000,
    enable_logging: true,
    logging_level: "INFO",
    metadata: { "org.id": "org1", env: "test" },
    aws_max_instance_lifetime: 604_800,
    platform: "",
  };
  const world: World = {
    jobs: [],
    executions: [],
    steps: [],
    logs: [],
    plans: new Map(),
    states: new Map(),
    locks: new Map(),
    stateJson: new Map(),
    serve: { settings, documents: {} },
  };
  const server = await startScriptedServer((request) => {
    const given = request.headers.authorization ?? `Bearer ${request.query.get("token")}`;
    if (given !== `Bearer ${token}`) return { status: 401, body: { error: "token not found", user_error: true } };
    const document = world.serve.documents[request.path];
    if (document !== undefined && request.method === "GET") return { status: 200, body: document };
    for (const [method, path, handler] of ROUTES) {
      const match = method === request.method ? path.exec(request.path) : null;
      if (match) return handler(world, request, match.slice(1));
    }
    return { status: 404, body: "404 page not found", type: "text/plain" };
  });
  const { serve, plans, ...shown } = world;
  return Object.assign(server, shown, {
    runnerId,
    token,
    settings: serve.settings,
    documents: serve.documents,
    addJob(given: Partial<TestJob> & { readonly plan?: string }): TestJob {
      const { plan, ...fields } = given;
      const job: TestJob = {
        id: newId("job"),
        created_at: new Date().toISOString(),
        runner_id: runnerId,
        log_stream_id: newId("logStream"),
        execution_timeout: 300_000_000_000,
        max_executions: 1,
        status: "available",
        type: "noop",
        group: "operations",
        operation: "exec",
        ...fields,
      };
      world.jobs.push(job);
      if (plan !== undefined) plans.set(job.id, plan);
      return job;
    },
  });
}

const json = (body: Buffer): Record<string, unknown> => JSON.parse(body.toString() || "null") ?? {};

const row = (one: TestExecution) => ({
  id: one.id,
  created_at: one.createdAt,
  runner_job_id: one.jobId,
  status: one.status,
  metadata: { "client.version": one.clientVersion },
});

function withExecution(world: World, id: string | undefined, use: (one: TestExecution) => Answer): Answer {
  const found = world.executions.find((one) => one.id === id);
  return found ? use(found) : NOT_FOUND;
}

function listJobs(world: World, { query }: Seen): Answer {
  const group = query.get("group") ?? "any";
  const status = query.get("status") ?? "available";
  const limit = Number(query.get("limit") ?? 10);
  const fitting = world.jobs.filter((job) => job.status === status && (group === "any" || job.group === group));
  return { status: 200, body: fitting.reverse().slice(0, limit) };
}

function getJob(world: World, _: Seen, [id]: readonly string[]): Answer {
  const job = world.jobs.find((one) => one.id === id);
  if (!job) return NOT_FOUND;
  const own = world.executions.filter((one) => one.jobId === id);
  return {
    status: 200,
    body: { ...job, executions: own.slice(-1).map(row), execution_count: own.length || undefined },
  };
}

function patchJob(world: World, { body }: Seen, [id]: readonly string[]): Answer {
  const job = world.jobs.find((one) => one.id === id);
  if (job) job.status = String(json(body).status);
  return { status: 200, body: {} };
}

function getPlan(world: World, _: Seen, [id = ""]: readonly string[]): Answer {
  const plan = world.plans.get(id);
  return plan === undefined ? NOT_FOUND : { status: 200, body: plan, type: "text/plain; charset=utf-8" };
}

function reserve(world: World, { headers }: Seen, [id = ""]: readonly string[]): Answer {
  const job = world.jobs.find((one) => one.id === id);
  if (!job) return NOT_FOUND;
  if (world.executions.filter((one) => one.jobId === id).length >= Number(job.max_executions)) {
    job.status = "cancelled";
    return { status: 500, body: { error: "runner job has exceeded max executions" } };
  }
  const execution: TestExecution = {
    id: newId("execution"),
    jobId: id,
    createdAt: new Date().toISOString(),
    clientVersion: headers["x-nuon-client-version"] ?? "",
    status: "pending",
    statuses: [],
    result: undefined,
    outputs: undefined,
  };
  world.executions.push(execution);
  job.status = "in-progress";
  return { status: 201, body: row(execution) };
}

function patchExecution(world: World, { body }: Seen, [id]: readonly string[]): Answer {
  return withExecution(world, id, (one) => {
    one.status = String(json(body).status);
    one.statuses.push(one.status);
    return { status: 200, body: { status: one.status, updated_at: new Date().toISOString() } };
  });
}

function postResult(world: World, { body }: Seen, [id]: readonly string[]): Answer {
  return withExecution(world, id, (one) => {
    const { contents, contents_compressed } = json(body);
    if (!contents && !contents_compressed) return { status: 201, body: "null" };
    if (one.result !== undefined) return DUPLICATE;
    one.result = json(body);
    return { status: 201, body: "null" };
  });
}

function postOutputs(world: World, { body }: Seen, [id]: readonly string[]): Answer {
  return withExecution(world, id, (one) => {
    if (one.outputs !== undefined) return DUPLICATE;
    one.outputs = json(body).outputs;
    return { status: 201, body: { id: newId("execution"), runner_job_execution_id: one.id } };
  });
}

function postLogs(world: World, { body }: Seen): Answer {
  const decoded = decodeLogsRequest(body);
  if (!decoded.ok) return { status: 500, body: { error: "unable to write runner logs" } };
  world.logs.push(...decoded.value);
  return { status: 201, body: '"ok"' };
}

function putStep(world: World, { body }: Seen, [id = ""]: readonly string[]): Answer {
  const { status, execution_duration } = json(body);
  world.steps.push({ id, status: String(status), execution_duration: Number(execution_duration) });
  return { status: 200, body: { status, execution_duration } };
}

function readState(world: World, { query }: Seen): Answer {
  const latest = world.states.get(query.get("workspace_id") ?? "")?.at(-1);
  return latest === undefined ? { status: 204 } : { status: 200, body: latest, type: "text/plain" };
}

function writeState(world: World, { query, body }: Seen): Answer {
  const id = query.get("workspace_id") ?? "";
  world.states.set(id, [...(world.states.get(id) ?? []), body.toString()]);
  return { status: 200, body: '""' };
}

function lock(world: World, { body }: Seen, [id = ""]: readonly string[]): Answer {
  if (world.locks.has(id)) return DUPLICATE;
  world.locks.set(id, body.toString());
  return { status: 200, body: '""' };
}

function unlock(world: World, _: Seen, [id = ""]: readonly string[]): Answer {
  world.locks.delete(id);
  return { status: 200, body: '""' };
}

function putStateJson(world: World, { body }: Seen, [id = ""]: readonly string[]): Answer {
  world.stateJson.set(id, body.toString());
  return { status: 200, body: { message: "ok" } };
}
