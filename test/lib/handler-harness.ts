import {
  appendFileSync,
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JobOperation } from "../../internal/protocol/enums.ts";
import { RunnerError, reasonOf } from "../../internal/protocol/errors.ts";
import type { ExecutionResultRequest } from "../../internal/protocol/nuon/jobs.ts";
import type { RunnerSettings } from "../../internal/protocol/nuon/settings.ts";
import {
  type ContainerSettings,
  type Documents,
  type Handler,
  type JobContext,
  type KubeSettings,
  NO_CLUSTER,
  NO_CONTAINERS,
  NO_POLICY,
  type ReleaseStore,
  type StateBackend,
  ToolError,
  type ToolRun,
} from "../../internal/runner/handler.ts";
import { parsePlan } from "../../internal/runner/parse-plan.ts";
import type { StateServer } from "./state-server.ts";

/**
 * Drives one handler through the steps of its lifecycle over temporary folders: real processes, real HTTP for state,
 * sources copied from real folders. Tools are remembered by key, as the engine does: running a step again on the same
 * harness is what happens after a crash.
 */
export interface HarnessOptions<Plan, Outputs extends Record<string, unknown>> {
  readonly handler: Handler<Plan, Outputs>;
  readonly type?: string;
  readonly operation?: JobOperation;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly plan?: unknown;
  readonly documents?: Partial<Documents>;
  /** Folders by tag. */
  readonly sources?: Readonly<Record<string, string>>;
  readonly state?: StateServer;
  readonly releases?: ReleaseStore;
  readonly verify?: boolean;
  readonly sensitive?: readonly string[];
  readonly shutdown?: (how: string) => void;
  /** Shared by jobs; default: one of its own. */
  readonly cacheDir?: string;
  readonly providerMirror?: string;
  /** A server that does not say who holds a lock. */
  readonly hidesLocks?: boolean;
  readonly settings?: RunnerSettings;
  /** Default: runtest. */
  readonly executionId?: string;
  /** Default: never aborted. */
  readonly signal?: AbortSignal;
  /** Of the runner; default: no cluster of its own. */
  readonly kube?: Partial<KubeSettings>;
  /** Of the runner's process, as cloud SDKs read it. */
  readonly cloudEnv?: Readonly<Record<string, string>>;
  /** Of the runner; default: no engine. */
  readonly containers?: Partial<ContainerSettings>;
  /** What the job file asks for besides. */
  readonly wishes?: Partial<JobContext<unknown>["options"]>;
  /** Paths by name of the tool, in place of PATH. */
  readonly tools?: Readonly<Record<string, string>>;
}

export interface Outcome {
  readonly status: "finished" | "failed";
  readonly reason: string;
  readonly remedy: string | undefined;
  readonly result: ExecutionResultRequest | null;
  readonly outputs: Readonly<Record<string, unknown>> | null;
  readonly sensitive: readonly string[];
  readonly cleanupError: unknown;
}

export interface StepSeen {
  readonly name: string;
  readonly id: string | undefined;
  readonly status: "finished" | "error";
  readonly code: number | null;
}

export function createHarness<Plan, Outputs extends Record<string, unknown>>(options: HarnessOptions<Plan, Outputs>) {
  const { handler } = options;
  const root = mkdtempSync(join(tmpdir(), "handler-"));
  const work = join(root, "work");
  const output = join(root, "output");
  const cacheDir = options.cacheDir ?? join(root, "cache");
  writeFileSync(output, "", { mode: 0o600 });
  writeFileSync(join(root, "terraformrc"), "");
  const runs: ToolRun[] = [];
  const ends = new Map<string, number>();
  const steps: StepSeen[] = [];
  const secrets = new Set<string>();
  const logged: string[] = [];
  const unlocked: string[] = [];
  let lastCode: number | null = null;

  const exec = async (tool: ToolRun) => {
    const from = readFileSync(output).length;
    if (!ends.has(tool.key)) {
      runs.push(tool);
      ends.set(tool.key, await spawn(tool, output));
    }
    const code = ends.get(tool.key) ?? null;
    lastCode = code;
    const tail = readFileSync(output).subarray(from).toString().slice(-4096);
    const end = { code, duration_ms: 0, tail };
    if (code === null || !(tool.expect ?? [0]).includes(code)) throw new ToolError(tool.key, end);
    return end;
  };
  const log = (text: string) => void logged.push(text);

  const context = (): JobContext<Plan> => ({
    job: {
      id: "jobtest",
      created_by_id: "test",
      type: options.type ?? handler.types[0] ?? "noop",
      operation: options.operation ?? "exec",
      metadata: { ...options.metadata },
    },
    execution: { id: options.executionId ?? "runtest", epoch: 1 },
    plan: handler.plan === null ? (null as Plan) : parsePlan(handler.plan, JSON.stringify(options.plan ?? null)),
    options: { verify: options.verify ?? false, sensitive_vars: options.sensitive ?? [], ...options.wishes },
    workspace: {
      get root() {
        mkdirSync(work, { recursive: true, mode: 0o700 });
        return work;
      },
      path(...parts) {
        mkdirSync(work, { recursive: true, mode: 0o700 });
        return join(work, ...parts);
      },
    },
    signal: options.signal ?? new AbortController().signal,
    log: { debug: log, info: log, warn: log, error: log },
    async step(step, body) {
      lastCode = null;
      try {
        const value = await body();
        steps.push({ name: step.name, id: step.id, status: "finished", code: lastCode });
        return value;
      } catch (error) {
        if (error instanceof ToolError) lastCode = error.end.code;
        steps.push({ name: step.name, id: step.id, status: "error", code: lastCode });
        throw error;
      }
    },
    exec,
    output(lines) {
      appendFileSync(output, lines);
      return true;
    },
    exited(code) {
      lastCode = code;
    },
    tools: {
      async find(name, version) {
        const found = options.tools?.[name] ?? Bun.which(name);
        if (found === null) throw new RunnerError("environment", `${name} ${version ?? ""} is missing`);
        return found;
      },
      cacheDir,
      providerMirror: options.providerMirror ?? null,
      env: (extra) => ({
        PATH: process.env.PATH ?? "",
        HOME: work,
        TF_CLI_CONFIG_FILE: join(root, "terraformrc"),
        RUNNER_EXECUTION: "runtest",
        ...extra,
      }),
    },
    kube: { ...NO_CLUSTER, ...options.kube },
    cloud: { env: options.cloudEnv ?? {} },
    containers: { ...NO_CONTAINERS, ...options.containers },
    sources: {
      async oci({ tag }, into) {
        const folder = options.sources?.[tag];
        if (folder === undefined) throw new RunnerError("job", `there is no source ${tag}`);
        cpSync(folder, into, { recursive: true });
      },
      async git({ url, ref }, into) {
        const clone = Bun.spawnSync(["git", "clone", "-q", url, into]);
        const checkout = Bun.spawnSync(["git", "-C", into, "checkout", "-q", ref]);
        if (!clone.success || !checkout.success) throw new RunnerError("job", "git failed");
        return Bun.spawnSync(["git", "-C", into, "rev-parse", "HEAD"]).stdout.toString().trim();
      },
    },
    releases: options.releases ?? null,
    state: stateOf(options.state, secrets, unlocked, options.hidesLocks === true),
    documents: {
      actionRun: absent("action run"),
      actionConfig: absent("action config"),
      appConfig: absent("app config"),
      ...options.documents,
    },
    policy: NO_POLICY,
    secrets: { register: (...values) => void values.map((value) => value && secrets.add(value)) },
    runner: {
      version: "test",
      settings: () => options.settings ?? null,
      checkLoops: () => ({ deploy: 0 }),
      shutdown: (how) => options.shutdown?.(how),
      freshSettings: async () => options.settings ?? null,
    },
  });

  return {
    handler,
    root,
    work,
    context,
    runs,
    steps,
    secrets,
    logged,
    unlocked,
    /** Everything the job's log holds: tools and our own lines. */
    log: () => `${readFileSync(output, "utf8")}\n${logged.join("\n")}`,
    run: () => lifecycle(handler, context),
    dispose: () => rmSync(root, { recursive: true, force: true }),
  };
}

async function lifecycle<Plan, Outputs extends Record<string, unknown>>(
  handler: Handler<Plan, Outputs>,
  context: () => JobContext<Plan>,
): Promise<Outcome> {
  let ended: Omit<Outcome, "cleanupError">;
  try {
    const ctx = context();
    await handler.fetch?.(ctx);
    await handler.validate?.(ctx);
    await handler.initialize?.(ctx);
    const result = await handler.execute(ctx);
    const outputs = (await handler.outputs?.(ctx)) ?? null;
    ended = {
      status: "finished",
      reason: "",
      remedy: undefined,
      result,
      outputs: outputs ? { ...outputs.values } : null,
      sensitive: outputs?.sensitive ?? [],
    };
  } catch (error) {
    if (!(error instanceof RunnerError)) throw error;
    const reason = reasonOf(error);
    ended = { status: "failed", reason, remedy: error.remedy, result: null, outputs: null, sensitive: [] };
  }
  try {
    await handler.cleanup?.(context());
    return { ...ended, cleanupError: null };
  } catch (cleanupError) {
    return { ...ended, cleanupError };
  }
}

async function spawn(tool: ToolRun, output: string): Promise<number> {
  const log = openSync(output, "a");
  const stdout = tool.capture === undefined ? log : openSync(tool.capture, "w");
  try {
    const stdin = tool.stdin === undefined ? null : Bun.file(tool.stdin);
    const child = Bun.spawn([...tool.argv], { cwd: tool.cwd, env: tool.env, stdin, stdout, stderr: log });
    return await child.exited;
  } finally {
    closeSync(log);
    if (stdout !== log) closeSync(stdout);
  }
}

function stateOf(
  server: StateServer | undefined,
  secrets: Set<string>,
  unlocked: string[],
  hidesLocks: boolean,
): StateBackend {
  const post = async (path: string, workspace: string, body: Uint8Array) => {
    const { TF_HTTP_USERNAME: user, TF_HTTP_PASSWORD: password } = server?.env(workspace) ?? {};
    const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
    return fetch(`${server?.url}/${path}/${workspace}`, {
      method: "POST",
      body: new Uint8Array(body),
      headers: { authorization },
    });
  };
  return {
    terraformEnv(workspace) {
      const env = server?.env(workspace) ?? {};
      if (env.TF_HTTP_PASSWORD) secrets.add(env.TF_HTTP_PASSWORD);
      return env;
    },
    async putStateJson(workspace, json) {
      const answer = await post("state-json", workspace, json);
      if (!answer.ok) throw new RunnerError("unreachable", `state-json: ${answer.status}`);
    },
    async head(workspace) {
      const state = server?.states.get(workspace);
      return state === undefined ? null : (JSON.parse(state) as { serial: number; lineage: string });
    },
    pushErrored: async (workspace, state) => (await post("state", workspace, state)).ok,
    async unlockOwn(workspace) {
      unlocked.push(workspace);
      server?.locks.delete(workspace);
    },
    async lockHolder(workspace) {
      const held = server?.locks.get(workspace);
      if (held === undefined || hidesLocks) return null;
      const { job_id, Who = "", Operation = "", locked_at = "" } = JSON.parse(held) as Record<string, string>;
      return { jobId: job_id ?? null, who: Who, operation: Operation, since: locked_at };
    },
  };
}

const absent = (what: string) => () => Promise.reject(new RunnerError("protocol", `there is no ${what}`));

/** A folder with these files; executable when the text starts with a shebang. */
export function folderOf(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), "source-"));
  for (const [name, text] of Object.entries(files)) {
    const path = join(root, name);
    if (!existsSync(join(path, ".."))) mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, text, { mode: text.startsWith("#!") ? 0o755 : 0o644 });
  }
  return root;
}
