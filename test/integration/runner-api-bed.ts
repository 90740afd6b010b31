import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Coordinator } from "../../internal/coordinator/coordinator.ts";
import { startCoordinator } from "../../internal/coordinator/start.ts";
import { silentLog } from "../../internal/kit/base/system-log.ts";
import { DEFAULT_TIMES, type Times } from "../../internal/protocol/times.ts";

/** A coordinator on a free port with a folder of its own, and plain HTTP to it: what a runner sees. */
export interface Bed {
  readonly url: string;
  readonly dataDir: string;
  /** Operator API under /api/v1. */
  admin(method: string, path: string, body?: unknown): Promise<Answer>;
  /** A runner with its token. */
  runner(name: string, labels?: Record<string, string>): Promise<RunnerClient>;
  /** Stops the coordinator and starts it again on the same folder, on another port. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes; wrong keys fail the test
  readonly json: any;
}

export interface RunnerClient {
  readonly id: string;
  readonly token: string;
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
}

export async function startBed(times: Partial<Times> = {}): Promise<Bed> {
  const dataDir = mkdtempSync(join(tmpdir(), "coordinator-"));
  const start = (): Promise<Coordinator> =>
    startCoordinator(
      {
        version: "test",
        host: "127.0.0.1",
        port: 0,
        dataDir,
        adminKeyFile: join(dataDir, "admin.key"),
        publicUrl: null,
        tls: null,
        times: { ...DEFAULT_TIMES, ...times },
        exclusive: true,
      },
      { log: silentLog },
    );
  let coordinator = await start();
  const request =
    (token: string) =>
    (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
      send(`${coordinator.url}${path}`, method, body, {
        ...(token === "" ? {} : { authorization: `Bearer ${token}` }),
        ...headers,
      });
  const admin: Bed["admin"] = (method, path, body) => request(coordinator.adminKey)(method, `/api/v1${path}`, body);
  return {
    get url() {
      return coordinator.url;
    },
    dataDir,
    admin,
    runner: async (name, labels) => {
      const made = await admin("POST", "/runners", { name, ...(labels ? { labels } : {}) });
      const { id, token } = made.json;
      return { id, token, call: request(token) };
    },
    restart: async () => {
      await coordinator.stop();
      coordinator = await start();
    },
    stop: async () => {
      await coordinator.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** Bytes go out as they are, anything else as JSON. */
export async function send(
  url: string,
  method: string,
  body: unknown,
  headers: Record<string, string>,
): Promise<Answer> {
  const bytes = body instanceof Uint8Array;
  const payload = body === undefined ? undefined : bytes ? new Uint8Array(body) : JSON.stringify(body);
  const response = await fetch(url, {
    method,
    headers: { ...(bytes || body === undefined ? {} : { "content-type": "application/json" }), ...headers },
    ...(payload === undefined ? {} : { body: payload }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: parse(text) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export const INVENTORY = {
  hostname: "host-1",
  os: "linux",
  arch: "amd64",
  cpus: 2,
  memory_bytes: 1,
  gpus: [],
  labels: {},
};

/** The native session of an instance. */
export function openSession(
  runner: RunnerClient,
  instance: string,
  over: Record<string, unknown> = {},
): Promise<Answer> {
  return runner.call("POST", `/v1/runners/${runner.id}/sessions`, {
    instance_id: instance,
    mode: "all",
    version: "1.0.0",
    inventory: INVENTORY,
    slots: { operations: 4, actions: 2, deploy: 1 },
    job_types: [],
    held: [],
    ...over,
  });
}

let keys = 0;
/** One claim; `wait_ms` 0 does not wait. */
export function claim(runner: RunnerClient, instance: string, over: Record<string, unknown> = {}): Promise<Answer> {
  return runner.call("POST", `/v1/runners/${runner.id}/claims`, {
    instance_id: instance,
    key: `key-${String(keys++).padStart(8, "0")}`,
    slots: { operations: 4, actions: 2, deploy: 1 },
    wait_ms: 0,
    after: 0,
    ...over,
  });
}

export function complete(
  runner: RunnerClient,
  instance: string,
  grant: { execution_id: string; lease: { epoch: number } },
  over: Record<string, unknown> = {},
): Promise<Answer> {
  return runner.call("POST", `/v1/runners/${runner.id}/completions`, {
    instance_id: instance,
    completions: [
      {
        execution_id: grant.execution_id,
        epoch: grant.lease.epoch,
        status: "finished",
        reason: "",
        code: "",
        result: null,
        outputs: null,
        sensitive_outputs: [],
        steps: [],
        ...over,
      },
    ],
    cleanups: [],
  });
}

export async function submit(
  bed: Bed,
  job: Record<string, unknown>,
  over: Record<string, unknown> = {},
): Promise<string> {
  const answer = await bed.admin("POST", "/jobs", { job, ...over });
  if (answer.json?.job === undefined) throw new Error(`the job was refused: ${answer.text}`);
  return answer.json.job;
}

export const NOOP = { type: "noop" };
export const ACTION = {
  type: "actions-workflow",
  name: "hello",
  timeout: "5m",
  spec: {
    steps: [
      { name: "one", run: "echo one" },
      { name: "two", run: "echo two" },
    ],
  },
};
/** Submits a terraform plan of an empty packed folder; answers the job's id. */
export async function submitTerraform(bed: Bed, runner: RunnerClient, workspace: string): Promise<string> {
  const digest = await uploadEmptySource(bed);
  const job = {
    type: "terraform-deploy",
    operation: "plan",
    name: workspace,
    spec: { source: { path: "./module" }, workspace, version: "1.11.4" },
  };
  return await submit(bed, job, { runner: runner.id, sources: { "spec.source": { digest, path: "." } } });
}

async function uploadEmptySource(bed: Bed): Promise<string> {
  const manifest = new TextEncoder().encode(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config: { mediaType: "application/vnd.oci.empty.v1+json", digest: digestOf("{}"), size: 2 },
      layers: [],
    }),
  );
  const digest = digestOf(manifest);
  const answer = await bed.admin("PUT", `/sources/${digest}`, manifest);
  if (answer.status >= 300) throw new Error(`the source was refused: ${answer.text}`);
  return digest;
}

const digestOf = (bytes: Uint8Array | string) => `sha256:${new Bun.CryptoHasher("sha256").update(bytes).digest("hex")}`;
