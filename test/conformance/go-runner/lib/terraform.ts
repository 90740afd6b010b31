import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { runCommand } from "./command.ts";
import type { GoHandler, JobContext } from "./context.ts";
import { pullArtifact } from "./oci.ts";
import type { Doc } from "./sdk.ts";

export interface BackendTarget {
  readonly url: string;
  readonly token: string;
  readonly workspace: string;
  readonly jobId: string;
}

/** `backend.json` exactly as the runner writes it (nuon-handlers.md 8.1). */
export function backendFile({ url, token, workspace, jobId }: BackendTarget): string {
  const lock = (verb: string) => `${url}/v1/terraform-workspaces/${workspace}/${verb}?token=${token}&job_id=${jobId}`;
  return JSON.stringify({
    address: `${url}/v1/terraform-backend?token=${token}&workspace_id=${workspace}&job_id=${jobId}`,
    lock_address: lock("lock"),
    unlock_address: lock("unlock"),
    lock_method: "POST",
    unlock_method: "POST",
  });
}

export interface Workspace {
  readonly root: string;
  /** Exit code and stdout; commands and flags of 8.2. */
  terraform(args: readonly string[], signal?: AbortSignal): Promise<{ readonly code: number; readonly stdout: string }>;
  init(): Promise<{ readonly code: number; readonly stdout: string }>;
  plan(...more: readonly string[]): Promise<{ readonly code: number; readonly stdout: string }>;
  apply(): Promise<{ readonly code: number; readonly stdout: string }>;
}

const NEVER = new AbortController().signal;

/** A terraform working folder as the runner makes it, around the files of a module. */
export function terraformWorkspace(
  root: string,
  options: {
    readonly module: string;
    readonly backend: BackendTarget;
    readonly vars?: unknown;
    readonly caFile?: string | null;
    readonly env?: Readonly<Record<string, string>>;
    readonly signal?: AbortSignal;
    readonly onLine?: (line: string) => void;
  },
): Workspace {
  mkdirSync(root, { recursive: true });
  cpSync(options.module, root, { recursive: true });
  writeFileSync(join(root, "backend_config.tf"), 'terraform {\n  backend "http" {}\n}\n');
  writeFileSync(join(root, "backend.json"), backendFile(options.backend), { mode: 0o600 });
  writeFileSync(join(root, "vars-0.json"), JSON.stringify(options.vars ?? {}));
  writeFileSync(join(root, "cli.tfrc"), "");
  const env = {
    PATH: process.env.PATH ?? "/usr/bin:/bin",
    HOME: root,
    CHECKPOINT_DISABLE: "1",
    TF_CLI_CONFIG_FILE: join(root, "cli.tfrc"),
    TF_IN_AUTOMATION: "1",
    ...(options.caFile ? { SSL_CERT_FILE: options.caFile } : {}),
    ...options.env,
  };
  const terraform: Workspace["terraform"] = (args, signal = options.signal ?? NEVER) =>
    runCommand(["terraform", ...args], {
      cwd: root,
      env,
      signal,
      killWith: "SIGINT",
      ...(options.onLine ? { onOut: options.onLine, onErr: options.onLine } : {}),
    });
  const shared = ["-var-file=vars-0.json", "-lock=true", "-parallelism=10", "-refresh=true", "-json"];
  return {
    root,
    terraform,
    init: () =>
      terraform([
        "init",
        "-no-color",
        "-input=false",
        "-backend=true",
        "-get=true",
        "-upgrade=false",
        `-backend-config=${join(root, "backend.json")}`,
      ]),
    plan: (...more) =>
      terraform([
        "plan",
        "-no-color",
        "-input=false",
        "-detailed-exitcode",
        "-lock-timeout=0s",
        "-out=tfplan",
        ...shared,
        ...more,
      ]),
    apply: () => terraform(["apply", "-no-color", "-auto-approve", "-input=false", ...shared, join(root, "tfplan")]),
  };
}

const urlSafe = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64").replaceAll("+", "-").replaceAll("/", "_");

/** `terraform-deploy` (nuon-handlers.md 9.7, 8.5) with the terraform on PATH in place of the vendor's download. */
export function terraformDeploy(): GoHandler {
  let plan: Doc = {};
  let workspace: Workspace | null = null;
  const terraformPlan = () => (plan.terraform ?? {}) as Doc;
  const workspaceId = () => String((terraformPlan().terraform_backend as Doc | undefined)?.WorkspaceID);
  const archive = (ctx: JobContext) => join(ctx.tmp, `archive-${ctx.executionId}`);
  const loaded = () => {
    if (workspace === null) throw new Error("nothing was initialized");
    return workspace;
  };
  return {
    async fetch(ctx) {
      plan = JSON.parse(await ctx.sdk.plan(ctx.jobId)) as Doc;
      const config = await ctx.sdk.appConfig(String(plan.app_id), String(plan.app_config_id));
      const components = (config.component_config_connections ?? []) as Doc[];
      const own = components.find((one) => one.component_id === plan.component_id)?.terraform_module as Doc | undefined;
      if (own === undefined) throw new Error("unable to find terraform config");
      if (!/^\d+\.\d+\.\d+/.test(String(own.version ?? ""))) throw new Error(`malformed version: ${own.version}`);
    },
    async initialize(ctx) {
      mkdirSync(archive(ctx), { recursive: true });
      await pullArtifact(ctx.transport, plan.src_registry as Doc, String(plan.src_tag), archive(ctx));
    },
    async exec(ctx) {
      const mark = { "runner_job_execution_step.name": "execute" };
      workspace = terraformWorkspace(join(ctx.tmp, ctx.executionId), {
        module: archive(ctx),
        backend: { url: ctx.url, token: ctx.token, workspace: workspaceId(), jobId: ctx.jobId },
        vars: terraformPlan().vars,
        caFile: ctx.caFile,
        env: terraformPlan().env_vars as Record<string, string>,
        signal: ctx.signal,
        onLine: (line) => ctx.log.emit("info", line, mark),
      });
      must(await workspace.init(), "unable to init");
      switch (ctx.job.operation) {
        case "create-apply-plan":
          must(await workspace.plan(), "unable to plan", 2);
          return await postPlan(ctx, workspace);
        case "create-teardown-plan":
          must(await workspace.plan("-destroy"), "unable to plan destroy", 2);
          return await postPlan(ctx, workspace);
        case "apply-plan":
          writeFileSync(join(workspace.root, "tfplan"), Buffer.from(String(plan.apply_plan_contents), "base64"));
          must(await workspace.apply(), "unable to apply");
          await ctx.sdk.stateJson(workspaceId(), ctx.jobId, Buffer.from(await show(workspace)));
          return;
        default:
          throw new Error(`unsupported run type ${ctx.job.operation}`);
      }
    },
    async outputs() {
      const { stdout } = await loaded().terraform(["output", "-no-color", "-json"], NEVER);
      const values = JSON.parse(stdout) as Record<string, { value: unknown }>;
      return Object.fromEntries(Object.entries(values).map(([key, { value }]) => [key, value]));
    },
    async cleanup(ctx) {
      rmSync(archive(ctx), { recursive: true, force: true });
      rmSync(loaded().root, { recursive: true, force: true });
    },
    /** State for display, then an unlock of whatever is held, while terraform still works (10 #6). */
    async gracefulShutdown(ctx) {
      if (workspace !== null) {
        await ctx.sdk.stateJson(workspaceId(), ctx.jobId, Buffer.from(await show(workspace))).catch(() => undefined);
      }
      if (plan.terraform) await ctx.sdk.unlock(workspaceId());
    },
  };
}

async function postPlan(ctx: JobContext, workspace: Workspace): Promise<void> {
  const { stdout } = await workspace.terraform(["show", "-json", "-no-color", "tfplan"]);
  await ctx.sdk.result(ctx.jobId, ctx.executionId, {
    contents_compressed: urlSafe(readFileSync(join(workspace.root, "tfplan"))),
    contents_display_compressed: urlSafe(gzipSync(stdout)),
    success: true,
  });
}

const show = async (workspace: Workspace) => (await workspace.terraform(["show", "-json", "-no-color"], NEVER)).stdout;

function must(done: { readonly code: number; readonly stdout: string }, what: string, also = 0): void {
  if (done.code !== 0 && done.code !== also) throw new Error(`${what}: exit status ${done.code}: ${done.stdout}`);
}
