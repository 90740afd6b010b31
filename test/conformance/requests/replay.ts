import type { NewJob } from "../../../internal/coordinator/store/types.ts";
import type { JobGroup } from "../../../internal/protocol/enums.ts";
import type { ActionRun, ActionWorkflowConfig } from "../../../internal/protocol/nuon/actions.ts";
import type { AppConfig } from "../../../internal/protocol/nuon/app-config.ts";
import { encodeExport } from "../go-runner/lib/otlp.ts";
import { type OperationName, operationOf } from "../operations.ts";
import { isRemark, type Scenario, type ScenarioLine } from "../recordings.ts";
import { startWorld, type World } from "./world.ts";

/** One recorded request, sent to our coordinator. */
export interface Replayed {
  readonly scenario: string;
  readonly operation: OperationName | undefined;
  readonly method: string;
  readonly path: string;
  /** null: the recorded server gave none. */
  readonly recordedStatus: number | null;
  readonly recordedBody: unknown;
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
}

type Request = NonNullable<ScenarioLine["request"]>;
const TOKEN = "fake-runner-token";

/** Sends every request of a scenario in its order. Ids that a server makes are translated, everything else is as it was. */
export async function replay(scenario: Scenario, all: Documents): Promise<Replayed[]> {
  const documents = new Map([...all, ...documentsOf([scenario])]);
  given.delete(scenario);
  const world = await startWorld(runnersOf(scenario));
  try {
    const player = createPlayer(world, scenario, documents);
    const replayed: Replayed[] = [];
    for (const line of scenario.exchanges) {
      if (line.event !== undefined) player.happened(line.event);
      if (line.request === undefined) continue;
      for (let n = 0; n < Math.min(line.repeated ?? 1, 3); n++) replayed.push(await player.send(line, line.request));
    }
    return replayed;
  } finally {
    await world.stop();
  }
}

/** Documents the recorded server gave, by path; later scenarios refer to earlier ones by remarks. */
export type Documents = ReadonlyMap<string, unknown>;

export function documentsOf(scenarios: readonly Scenario[]): Documents {
  const found = new Map<string, unknown>();
  for (const { exchanges } of scenarios) {
    for (const { request, response } of exchanges) {
      const document = response?.body;
      if (request?.method !== "GET" || response?.status !== 200 || typeof document !== "object") continue;
      if (!found.has(request.path)) found.set(request.path, JSON.parse(JSON.stringify(document, withoutRemark)));
    }
  }
  return found;
}

/** `"…": …` stands for further fields. */
const withoutRemark = (key: string, value: unknown) => (key === "..." ? undefined : value);

function createPlayer(world: World, scenario: Scenario, documents: Documents) {
  /** Ids of the recording → ours. */
  const ids = new Map<string, string>();
  /** Jobs with their groups. */
  const submitted = new Map<string, JobGroup>();
  const reserved = new Set<string>();
  const lastExecution = new Map<string, string>();
  const streams = new Map<string, string>();

  const submit = (id: string, type: string, group: JobGroup, operation: string): void => {
    submitted.set(id, group);
    const plan = planOf(scenario, id);
    const stream = world.submit({
      id,
      name: id,
      type,
      group,
      operation,
      ...ownerOf(scenario, id),
      plan,
      workspaceId: group === "deploy" || group === "sandbox" ? workspaceOf(scenario) : null,
      documents: group === "actions" ? actionDocuments(scenario, plan, documents) : appDocuments(scenario, documents),
    });
    streams.set(id, stream);
    if (streams.size === 1) useStream(stream);
  };

  /** One recorded stream serves all jobs of a scenario: it is that of the job reserved last. */
  const useStream = (stream: string) => {
    for (const recorded of streamsOf(scenario)) ids.set(recorded, stream);
  };

  const happened = (event: string): void => {
    const job = /^job (job\w{23}) \((\S+), group (\S+), operation (\S+)\) is now available/.exec(event);
    if (job) submit(job[1] ?? "", job[2] ?? "", (job[3] ?? "") as JobGroup, job[4] ?? "");
  };

  const call = async (
    method: string,
    path: string,
    init: { headers?: Record<string, string>; body?: Uint8Array | string },
  ) => {
    const { body, headers } = init;
    return await fetch(`${world.url}${path}`, {
      method,
      headers: headers ?? { authorization: `Bearer ${TOKEN}` },
      // fetch sends no body with a GET; the `null` of the admin calls of run-local stays out.
      ...(body === undefined || method === "GET"
        ? {}
        : { body: typeof body === "string" ? body : new Uint8Array(body) }),
    });
  };

  /** Every loop of the Go runner polls before it reserves; idle polls were left out of the recording. */
  const poll = async (group: JobGroup) => {
    const runner = runnersOf(scenario)[0]?.id ?? "";
    await call("GET", `/v1/runners/${runner}/jobs?group=${group}`, {});
  };

  /** A job that a request names without its reservation having been recorded. */
  const prepare = async (request: Request): Promise<void> => {
    const job = /job\w{23}/.exec(request.path)?.[0] ?? request.query?.job_id;
    if (job === undefined || reserved.has(job)) return;
    const polled = polledJob(scenario, job);
    if (!submitted.has(job)) {
      submit(job, polled?.type ?? "terraform-deploy", polled?.group ?? "deploy", polled?.operation ?? "apply-plan");
    }
    const group = submitted.get(job) ?? "deploy";
    await poll(group);
    if (request.path.startsWith("/v1/runner-jobs/")) return;
    for (const [other, execution] of lastExecution) {
      await call("PATCH", `/v1/runner-jobs/${other}/executions/${execution}`, { body: '{"status":"finished"}' });
    }
    await poll(group);
    const made = await call("POST", `/v1/runner-jobs/${job}/executions`, { body: "null\n" });
    if (made.status === 201) remember(job, undefined, ((await made.json()) as { id: string }).id);
  };

  const remember = (job: string, recorded: unknown, ours: string): void => {
    reserved.add(job);
    lastExecution.set(job, ours);
    useStream(streams.get(job) ?? "");
    if (typeof recorded === "string") ids.set(recorded, ours);
  };

  const send = async (line: ScenarioLine, request: Request): Promise<Replayed> => {
    await prepare(request);
    const body = bodyOf(request);
    const [, job = "", execution] = /\/runner-jobs\/(job\w{23})(?:\/executions\/(run\w{23}))?/.exec(request.path) ?? [];
    if (execution !== undefined && !ids.has(execution)) ids.set(execution, lastExecution.get(job) ?? execution);
    const path = translated(request.path, ids);
    const query = new URLSearchParams(request.query ?? {}).toString();
    const answer = await call(request.method, query === "" ? path : `${path}?${query}`, {
      headers: headersOf(request, body),
      ...(body === undefined ? {} : { body }),
    });
    const text = await answer.text();
    if (answer.status === 201 && /\/executions$/.test(request.path)) {
      const recorded = line.response?.body as { id?: unknown } | null | undefined;
      remember(job, recorded?.id, (JSON.parse(text) as { id: string }).id);
    }
    const cleaned = request.path.replace(/^\/base\/+/, "/").replace("/log-streams//", "/log-streams/none/");
    return {
      scenario: scenario.name,
      operation: operationOf(request.method, cleaned),
      method: request.method,
      path: request.path,
      recordedStatus: line.response?.status ?? null,
      recordedBody: line.response?.body,
      status: answer.status,
      contentType: answer.headers.get("content-type") ?? "",
      text,
    };
  };

  return { happened, send };
}

const requestsOf = (scenario: Scenario) => scenario.exchanges.flatMap((line) => (line.request ? [line.request] : []));

function runnersOf(scenario: Scenario): { readonly id: string; readonly token: string }[] {
  const ids = new Set(requestsOf(scenario).flatMap(({ path }) => /^\/v1\/runners\/(run\w{23})/.exec(path)?.[1] ?? []));
  const all = [...(ids.size === 0 ? ["runtestrunner0000000000001"] : ids)];
  return all.map((id, n) => ({ id, token: n === 0 ? TOKEN : `${TOKEN}-${n}` }));
}

const streamsOf = (scenario: Scenario) =>
  new Set(requestsOf(scenario).flatMap(({ path }) => /\/log-streams\/(log\w{23})/.exec(path)?.[1] ?? []));

const workspaceOf = (scenario: Scenario): string | null =>
  requestsOf(scenario)
    .map(({ path, query }) => query?.workspace_id ?? /tfw\w{23}/.exec(path)?.[0])
    .find((id) => id !== undefined) ?? null;

/** The plan as the recorded server gave it; `{}` where it is a remark. null: it answered that there is none. */
function planOf(scenario: Scenario, job: string): string | null {
  const asked = scenario.exchanges.filter(({ request }) => request?.path === `/v1/runner-jobs/${job}/plan`);
  const given = asked.find(({ response }) => response?.status === 200)?.response?.body;
  if (typeof given === "string" && !isRemark(given)) return given;
  return asked.some(({ response }) => response?.status === 404) || asked.length === 0 ? null : "{}";
}

interface PolledJob {
  readonly id?: string;
  readonly type?: string;
  readonly group?: JobGroup;
  readonly operation?: string;
  readonly owner_id?: string;
  readonly owner_type?: string;
}

/** The job as a poll of the recording showed it. */
function polledJob(scenario: Scenario, id: string): PolledJob | undefined {
  return scenario.exchanges
    .flatMap(({ response }) => (Array.isArray(response?.body) ? (response.body as PolledJob[]) : []))
    .find((one) => one.id === id);
}

function ownerOf(scenario: Scenario, id: string): Partial<Record<"ownerId" | "ownerType", string>> {
  const { owner_id: ownerId, owner_type: ownerType } = polledJob(scenario, id) ?? {};
  return ownerId && ownerType ? { ownerId, ownerType } : {};
}

const NO_DOCUMENTS = { action_run: null, action_config: null, app_config: null };

/** The run that the plan names and its config; steps that only later requests name are added to the run. */
function actionDocuments(scenario: Scenario, plan: string | null, documents: Documents): NewJob["documents"] {
  const asked = requestsOf(scenario)
    .find(({ path }) => /\/action-workflows\/runs\//.test(path))
    ?.path.split("/")
    .at(-1);
  const runId = (plan === null ? undefined : (JSON.parse(plan) as { id?: string }).id) ?? asked ?? "";
  const named = (end: string) => [...documents].find(([path]) => path.endsWith(end))?.[1];
  const run = named(`/runs/${runId}`) as ActionRun | undefined;
  if (run === undefined) return NO_DOCUMENTS;
  const config = named(`/configs/${run.action_workflow_config_id}`) as ActionWorkflowConfig | undefined;
  const known = new Set((run.steps ?? []).map((step) => step.id));
  const prefix = (run.steps?.[0]?.id ?? "").slice(0, 22);
  const added = new Set(requestsOf(scenario).flatMap(({ path }) => /\/steps\/(\w{26})$/.exec(path)?.[1] ?? []));
  const more = [...added].filter((id) => id.startsWith(prefix) && !known.has(id)).map((id) => ({ id, step_id: id }));
  return {
    ...NO_DOCUMENTS,
    action_run: { ...run, steps: [...(run.steps ?? []), ...more] },
    action_config: config ?? null,
  };
}

/** The app's config belongs to the first job that can have one: a runner reaches it for all of them. */
function appDocuments(scenario: Scenario, documents: Documents): NewJob["documents"] {
  const path = requestsOf(scenario).find((request) => /\/config\//.test(request.path))?.path ?? "";
  if (given.get(scenario) === path) return NO_DOCUMENTS;
  given.set(scenario, path);
  return { ...NO_DOCUMENTS, app_config: (documents.get(path) ?? null) as AppConfig | null };
}
const given = new WeakMap<Scenario, string>();

function translated(path: string, ids: ReadonlyMap<string, string>): string {
  return path.replace(/\b[a-z]{3}\w{23}\b/g, (id) => ids.get(id) ?? id);
}

/** Go's bytes: compact JSON and a newline; log batches from what was decoded of them. */
function bodyOf(request: Request): Uint8Array | string | undefined {
  if (request.body_base64 !== undefined) return Buffer.from(request.body_base64, "base64");
  if (request.body_text !== undefined) return request.body_text;
  if (request.body_note !== undefined || request.decoded !== undefined) return exportOf(request);
  if (request.body === undefined) return undefined;
  return `${JSON.stringify(whole(request.body))}\n`;
}

function exportOf(request: Request): Uint8Array {
  const records = request.decoded?.records ?? [{ severity_text: "info", body: "left out" }];
  const severity = (text: string) => (text === "debug" || text === "warn" || text === "error" ? text : "info");
  return encodeExport(
    records.map((one, n) => ({
      time: BigInt(n + 1),
      severity: severity(one.severity_text),
      body: String(one.body),
      attributes: {},
    })),
    {},
    "",
  );
}

/** A value that the file names instead of repeating it: `{same as contents_compressed}`. */
function whole(body: unknown): unknown {
  if (body === null || typeof body !== "object" || Array.isArray(body)) return body;
  const fields = body as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => {
      const same = typeof value === "string" ? /^\{same as (\w+)\}$/.exec(value)?.[1] : undefined;
      return [key, same === undefined ? value : fields[same]];
    }),
  );
}

/** Headers that the client library makes itself. */
const OWN = new Set(["host", "content-length", "accept-encoding", "connection", "transfer-encoding"]);

function headersOf(request: Request, body: Uint8Array | string | undefined): Record<string, string> {
  const headers: Record<string, string> = {};
  if (typeof request.headers === "object") {
    for (const [key, value] of Object.entries(request.headers)) if (!OWN.has(key.toLowerCase())) headers[key] = value;
  } else if (request.query?.token === undefined) {
    headers.Authorization = `Bearer ${TOKEN}`;
    headers["X-Nuon-Client-Version"] = "runner:development";
    if (body !== undefined)
      headers["Content-Type"] = typeof body === "string" ? "application/json" : "application/x-protobuf";
  }
  const sum = Object.keys(headers).find((key) => key.toLowerCase() === "content-md5");
  if (sum !== undefined && body !== undefined) headers[sum] = new Bun.CryptoHasher("md5").update(body).digest("base64");
  return headers;
}
