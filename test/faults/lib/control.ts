import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hasEnded, OUTCOME_STATUSES } from "../../../internal/protocol/enums.ts";
import type { JobShow, RunnerDoc, WorkspaceDoc } from "../../../internal/protocol/operator.ts";
import { type Bed, freePort, type Proc, strangersBelow, toolsBelow, until } from "./processes.ts";

/** A coordinator as an operator sees it: its process, and its record over HTTP. */
export interface Control {
  readonly url: string;
  readonly port: number;
  proc: Proc;
  restart(env?: Record<string, string>): Promise<void>;
  admin(): Record<string, string>;
  createRunner(name: string): Promise<{ id: string; token: string }>;
  submit(file: string, runner?: string, env?: Record<string, string>): Promise<string>;
  show(job: string): Promise<JobShow>;
  /** Until the job or change has ended and its cleanup is told. */
  ended(job: string, limitMs?: number): Promise<JobShow>;
  workspaces(): Promise<WorkspaceDoc[]>;
  runners(): Promise<RunnerDoc[]>;
  log(job: string): Promise<string>;
  post(path: string, body?: unknown): Promise<Response>;
}

export async function startControl(
  bed: Bed,
  options: { env?: Record<string, string>; flags?: string[] } = {},
): Promise<Control> {
  const port = freePort();
  const url = `http://127.0.0.1:${port}`;
  const keyFile = bed.path("coordinator", "admin.key");
  const flags = [
    "coordinator",
    "--listen",
    `127.0.0.1:${port}`,
    "--data-dir",
    bed.path("coordinator"),
    "--admin-key-file",
    keyFile,
    ...(options.flags ?? []),
  ];
  const ready = () =>
    until("the coordinator is ready", async () => {
      try {
        return (await fetch(`${url}/readyz`)).ok;
      } catch {
        return false;
      }
    });
  const start = async (env: Record<string, string> = {}) => {
    const proc = bed.spawn(flags, env);
    await Promise.race([
      ready(),
      proc.exited.then((code) => {
        throw new Error(`the coordinator ended with ${code}: ${proc.stderr()}`);
      }),
    ]);
    return proc;
  };
  const key = () => readFileSync(keyFile, "utf8").trim();
  const get = async <T>(path: string): Promise<T> => {
    const answer = await fetch(`${url}/api/v1${path}`, { headers: { Authorization: `Bearer ${key()}` } });
    if (!answer.ok) throw new Error(`GET ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  };
  const control: Control = {
    url,
    port,
    proc: await start(options.env),
    async restart(env = {}) {
      await control.proc.kill9();
      control.proc = await start(env);
    },
    admin: () => ({ RUNNER_COORDINATOR_URL: url, RUNNER_ADMIN_KEY: key() }),
    async createRunner(name) {
      const { code, stdout, stderr } = await bed.run(["runners", "create", name, "--json"], control.admin());
      if (code !== 0) throw new Error(`runners create: ${code} ${stderr}`);
      return JSON.parse(stdout) as { id: string; token: string };
    },
    async submit(file, runner, env = {}) {
      const { code, stdout, stderr } = await bed.run(
        ["job", "submit", "-f", file, "--json", ...(runner ? ["--runner", runner] : [])],
        { ...control.admin(), ...env },
      );
      if (code !== 0) throw new Error(`job submit: ${code} ${stderr}`);
      return (JSON.parse(stdout) as { job: string }).job;
    },
    show: (job) => get<JobShow>(`/jobs/${job}`),
    ended: (job, limitMs = 60_000) =>
      until(
        `the job ${job} has ended`,
        async () => {
          const doc = await control.show(job).catch(() => null);
          // An execution whose lease was lost reports nothing more, so only the last one of each job tells its cleanup.
          const last =
            doc?.jobs.map((one) => doc.executions.findLast((execution) => execution.job_id === one.id)) ?? [];
          const cleaned = last.every(
            (one) => !one || doc?.events.some((event) => event.what === "cleanup" && event.execution_id === one.id),
          );
          return doc && hasEnded(doc.status) && cleaned ? doc : null;
        },
        limitMs,
      ),
    workspaces: async () => {
      const body = await get<WorkspaceDoc[] | { workspaces: WorkspaceDoc[] }>("/workspaces");
      return Array.isArray(body) ? body : body.workspaces;
    },
    runners: async () => {
      const body = await get<RunnerDoc[] | { runners: RunnerDoc[] }>("/runners");
      return Array.isArray(body) ? body : body.runners;
    },
    log: async (job) => {
      const answer = await fetch(`${url}/api/v1/jobs/${job}/logs?format=text`, {
        headers: { Authorization: `Bearer ${key()}` },
      });
      return answer.text();
    },
    post: (path, body = {}) =>
      fetch(`${url}/api/v1${path}`, {
        method: "POST",
        headers: { Authorization: `Bearer ${key()}`, "Content-Type": "application/json" },
        body: JSON.stringify(body),
      }),
  };
  return control;
}

export interface RunnerHandle {
  readonly id: string;
  readonly stateDir: string;
  proc: Proc;
  start(env?: Record<string, string>): Proc;
  restart(env?: Record<string, string>): Promise<void>;
}

/** A runner of this coordinator (or of a proxy in front of it), started unless told otherwise. */
export async function addRunner(
  bed: Bed,
  control: Control,
  options: {
    name?: string;
    url?: string;
    flags?: string[];
    env?: Record<string, string>;
    stateDir?: string;
    identity?: { id: string; token: string };
  } = {},
): Promise<RunnerHandle> {
  const name = options.name ?? "r1";
  const identity = options.identity ?? (await control.createRunner(name));
  const stateDir = options.stateDir ?? bed.path(`state-${name}`);
  const start = (env: Record<string, string> = {}) =>
    bed.spawn(["run", "--state-dir", stateDir, ...(options.flags ?? [])], {
      RUNNER_API_URL: options.url ?? control.url,
      RUNNER_ID: identity.id,
      RUNNER_API_TOKEN: identity.token,
      ...env,
    });
  const handle: RunnerHandle = {
    id: identity.id,
    stateDir,
    proc: start(options.env),
    start,
    async restart(env = {}) {
      await handle.proc.kill9();
      handle.proc = start(env);
    },
  };
  return handle;
}

export const write = (bed: Bed, name: string, text: string): string => {
  const file = bed.path(name);
  writeFileSync(file, text, { mode: 0o755 });
  return file;
};

/** The terminal words in the timeline of one job (of a change: its last one); one outcome means exactly one of them. */
export function outcomes(doc: JobShow): string[] {
  const id = doc.jobs.at(-1)?.id;
  return doc.events
    .filter((event) => event.job_id === id && (OUTCOME_STATUSES as readonly string[]).includes(event.what))
    .map(({ what }) => what);
}

/** The words with which a change ended, in its own timeline: exactly one of them. */
export function terminalOf(doc: JobShow): string[] {
  const ends: readonly string[] = [...OUTCOME_STATUSES, "approval-denied", "approval-expired"];
  return doc.events.filter((event) => event.job_id === null && ends.includes(event.what)).map(({ what }) => what);
}

/** What a job must not leave behind: a process of a tool, a folder of an execution, a lock. */
export async function leftOver(bed: Bed, control: Control, runner: RunnerHandle): Promise<string[]> {
  const folder = join(runner.stateDir, "executions");
  const locks = (await control.workspaces()).filter((one) => one.lock !== null);
  return [
    ...toolsBelow(bed.root).map((pid) => `process ${pid}`),
    ...(existsSync(folder) ? readdirSync(folder) : []),
    ...locks.map((one) => `lock of ${one.id}`),
  ];
}

/**
 * What must be true when a job has ended, however it ended: nothing of it runs, no folder, lock or half-fetched piece
 * is left, and `secrets` stand nowhere below the bed but in the coordinator's own database. Waits for what is just ending.
 */
export async function cleanAfter(
  bed: Bed,
  control: Control,
  runner: RunnerHandle,
  secrets: readonly string[] = [],
): Promise<void> {
  const left = async () => [
    ...(await leftOver(bed, control, runner)),
    ...strangersBelow(bed.root, bed.pids()),
    ...halfFetched(bed.path(".cache")),
  ];
  let last: string[] = [];
  await until(
    "nothing is left",
    async () => {
      last = await left();
      return last.length === 0;
    },
    10_000,
  ).catch(() => undefined);
  const shown = secrets.flatMap((secret) => filesWith(bed.root, secret));
  if (last.length + shown.length > 0) throw new Error(`left behind: ${[...last, ...shown].join(", ")}`);
}

/** Names in the cache of tools that say of themselves that they are not whole. */
function halfFetched(cache: string): string[] {
  if (!existsSync(cache)) return [];
  return readdirSync(cache, { recursive: true, encoding: "utf8" }).filter(
    (name) =>
      /\.(lock|new|old|tmp|part|partial|link)$|incoming-/.test(name) &&
      !/\/objects\/|_cacache|node_modules|\/bun\.lock$/.test(name),
  );
}

function filesWith(root: string, secret: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !/^coordinator\.db/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => existsSync(path) && readFileSync(path).includes(secret))
    .map((path) => `a secret in ${path}`);
}
