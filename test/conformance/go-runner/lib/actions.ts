import { appendFileSync, chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "./command.ts";
import type { GoHandler, JobContext } from "./context.ts";
import type { Doc } from "./sdk.ts";

type Env = Readonly<Record<string, string>>;
const list = (value: unknown): Doc[] => (Array.isArray(value) ? (value as Doc[]) : []);
const env = (value: unknown): Env => (value ?? {}) as Env;

interface Loaded {
  readonly plan: Doc;
  readonly run: Doc;
  readonly config: Doc;
}

/** `actions-workflow` (nuon-handlers.md 9.1): run step, config step and plan step are paired by index. */
export function actionsWorkflow(): GoHandler {
  let loaded: Loaded | null = null;
  const root = (ctx: JobContext) => join(ctx.tmp, ctx.executionId);
  const documents = () => {
    if (loaded === null) throw new Error("nothing was fetched");
    return loaded;
  };
  return {
    async fetch(ctx) {
      const plan = JSON.parse(await ctx.sdk.plan(ctx.jobId)) as Doc;
      const run = await ctx.sdk.actionRun(String(plan.install_id), String(plan.id));
      const config = await ctx.sdk.actionConfig(String(run.action_workflow_config_id));
      loaded = { plan, run, config };
    },
    async initialize(ctx) {
      mkdirSync(root(ctx), { recursive: true });
    },
    async exec(ctx) {
      const { plan, run, config } = documents();
      const limit = AbortSignal.timeout(Number(config.timeout ?? 0) / 1e6);
      const signal = AbortSignal.any([ctx.signal, limit]);
      let failed: string | null = null;
      for (const [index, step] of list(run.steps).entries()) {
        const began = performance.now();
        const put = (status: string) =>
          ctx.sdk.actionStep(
            String(plan.install_id),
            String(config.action_workflow_id),
            String(step.id),
            status,
            Math.max(1, Math.round((performance.now() - began) * 1e6)),
          );
        if (failed !== null) {
          ctx.log.emit("warn", "skipping step because a previous step failed");
          await put("error");
          continue;
        }
        await put("in-progress");
        failed = await runStep(ctx, { plan, run, config }, index, { root: root(ctx), signal });
        if (signal.aborted && ctx.signal.aborted) throw new Error("context canceled");
        await put(failed === null ? "finished" : "error");
      }
      if (failed !== null) throw new Error(failed);
    },
    async outputs(ctx) {
      const all: Record<string, unknown> = {};
      const steps: Record<string, unknown> = {};
      for (const [index, step] of list(documents().config.steps).entries()) {
        const own = readOutputs(join(root(ctx), `${index}.nuon-outputs.json`));
        Object.assign(all, own);
        steps[String(step.name)] = own;
      }
      return { ...all, steps };
    },
    async cleanup(ctx) {
      rmSync(root(ctx), { recursive: true, force: true });
    },
  };
}

/** null: it went well. */
async function runStep(
  ctx: JobContext,
  { plan, run, config }: Loaded,
  index: number,
  at: { readonly root: string; readonly signal: AbortSignal },
): Promise<string | null> {
  const configStep = list(config.steps)[index];
  const planStep = list(plan.steps)[index];
  const runStep = list(run.steps)[index];
  if (!configStep || !planStep) throw new Error("index out of range");
  const marks = { workflow_step_name: String(configStep.name), step_run_id: String(runStep?.id) };
  const outputs = join(at.root, `${index}.nuon-outputs.json`);
  appendFileSync(outputs, "");
  const git = (planStep.git_source ?? {}) as Doc;
  if (git.url) throw new Error("git sources are not replayed");
  ctx.log.emit("warn", "no connected or public vcs config configured", marks);
  const environment: Record<string, string> = {
    PATH: process.env.PATH ?? "/usr/bin:/bin",
    HOME: at.root,
    ...env(plan.builtin_env_vars),
    NUON_ACTIONS_OUTPUT_FILEPATH: outputs,
    NUON_ACTIONS_ROOT: at.root,
    NUON_KUBECONFIG_ENABLED: String(plan.cluster_info != null),
    ...env(planStep.interpolated_env_vars),
    ...env(run.run_env_vars),
    ...env(plan.override_env_vars),
  };
  for (const [name, value] of Object.entries(environment)) {
    ctx.log.emit("debug", `setting env-var ${name}`, { ...marks, value });
  }
  const argv = argvOf(configStep, index, at.root);
  const { code } = await runCommand(argv, {
    cwd: at.root,
    env: environment,
    signal: at.signal,
    onOut: (line) => ctx.log.emit("info", line, marks),
    onErr: (line) => ctx.log.emit("error", line, marks),
  });
  ctx.log.emit("info", code === 0 ? "marking step as finished" : "marking step as error", marks);
  return code === 0 ? null : `unable to execute command: exit status ${code}`;
}

/** The config's text counts, never the plan's; a command is split on single spaces and looked up on PATH. */
function argvOf(configStep: Doc, index: number, root: string): string[] {
  const inline = String(configStep.inline_contents ?? "");
  if (inline === "") {
    const [program = "", ...args] = String(configStep.command ?? "").split(" ");
    if (program.startsWith("./")) throw new Error(`${program} is not an executable file of the repository`);
    return [program, ...args];
  }
  const file = join(root, `.inline-contents-step-${index}`);
  writeFileSync(file, inline);
  chmodSync(file, 0o755);
  return [file];
}

function readOutputs(file: string): Record<string, unknown> {
  const all: Record<string, unknown> = {};
  for (const line of readFileSync(file, "utf8").split("\n").slice(0, -1)) {
    if (line.startsWith("{")) Object.assign(all, JSON.parse(line));
    else if (!line.startsWith("[") && line.includes("="))
      all[line.slice(0, line.indexOf("="))] = line.slice(line.indexOf("=") + 1);
    else throw new Error(`invalid output line: ${line}`);
  }
  return all;
}
