import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { z } from "zod";
import { readOutputs } from "../../../kit/outputs/read-outputs.ts";
import { RunnerError, reasonOf } from "../../../protocol/errors.ts";
import {
  type ActionRun,
  type ActionWorkflowConfig,
  actionRun,
  actionWorkflowConfig,
} from "../../../protocol/nuon/actions.ts";
import { type ActionWorkflowRunPlan, actionWorkflowRunPlan } from "../../../protocol/nuon/plans.ts";
import { type Handler, type JobContext, StopError, ToolError } from "../../handler.ts";
import { cloudKeys } from "../cloud-keys.ts";
import { endedText } from "../ended-text.ts";
import { kubeAccess } from "../kube/access.ts";
import { withSandboxMode } from "../sandbox-mode.ts";
import { secretEnvValues } from "../secret-values.ts";
import { emptyFolder } from "../source-folder.ts";
import { type ActionStep, pairSteps } from "./pair-steps.ts";
import { stepArgv, stepFiles, stepFolder } from "./step-command.ts";
import { type StepAccess, stepEnvironment } from "./step-environment.ts";

type Context = JobContext<ActionWorkflowRunPlan>;

/**
 * Runs the steps of an action one after another (nuon-handlers.md 9.1). Every step has a fresh copy of its source; all
 * share NUON_ACTIONS_ROOT. After a failed step the later ones are reported as `error` without being run.
 *
 * The config's `timeout` is not enforced apart: the job's execution timeout is at most a minute longer and stops the
 * tool by its ladder, which only the engine can do.
 */
const realWork: Handler<ActionWorkflowRunPlan> = {
  types: ["actions-workflow"],
  plan: actionWorkflowRunPlan,

  async fetch(ctx) {
    registerSecrets(ctx, [ctx.plan.builtin_env_vars, ctx.plan.override_env_vars]);
    const documents = await fetchDocuments(ctx);
    registerSecrets(ctx, [documents.run.run_env_vars]);
    const steps = pairSteps(ctx.plan, documents);
    registerSecrets(
      ctx,
      steps.map((step) => step.env),
    );
    for (const step of steps) await fetchSource(ctx, step);
  },

  async validate(ctx) {
    const { run, steps } = load(ctx);
    for (const step of steps) {
      environmentOf(ctx, run, step);
      stepFolder(ctx.workspace.root, step);
    }
  },

  async initialize(ctx) {
    for (const step of load(ctx).steps) {
      const files = stepFiles(ctx.workspace.root, step);
      mkdirSync(files.folder, { recursive: true, mode: 0o700 });
      writeFileSync(files.outputs, "", { mode: 0o600 });
      if (!("inline" in step.work)) continue;
      writeFileSync(files.script, step.work.inline);
      chmodSync(files.script, 0o700);
    }
  },

  async execute(ctx) {
    const { run, steps } = load(ctx);
    let failure: { readonly error: unknown } | null = null;
    for (const step of steps) {
      const work = failure === null ? () => runStep(ctx, run, step) : () => Promise.reject(NOT_RUN);
      try {
        await ctx.step({ name: step.name, id: step.id }, work);
      } catch (error) {
        if (error instanceof StopError) throw error;
        failure ??= { error };
      }
    }
    if (failure !== null) throw failure.error;
    return null;
  },

  async outputs(ctx) {
    const byStep = load(ctx).steps.map((step) => [step.name, outputsOf(ctx, step)] as const);
    const merged = byStep.flatMap(([, values]) => Object.entries(values));
    // `steps` comes last: it is ours even when a step has an output of that name.
    return { values: Object.fromEntries([...merged, ["steps", Object.fromEntries(byStep)]]), sensitive: [] };
  },
};

/** In sandbox mode every step is reported as finished. */
export const actionsWorkflow = withSandboxMode(realWork, async (ctx) => {
  for (const step of ctx.plan.steps ?? []) {
    const { run_id: id, attrs } = step;
    await ctx.step({ name: attrs?.["step.name"] ?? id ?? "step", ...(id ? { id } : {}) }, async () => {});
  }
  return null;
});

const NOT_RUN = new RunnerError("job", "not run: an earlier step failed");

/** Run and config lie in the workspace: after a restart the steps do not depend on the control plane. */
const documentsFile = z.object({ run: actionRun, config: actionWorkflowConfig });
const documentsPath = (ctx: Context) => ctx.workspace.path("documents.json");

interface ActionDocuments {
  readonly run: ActionRun;
  readonly config: ActionWorkflowConfig;
}

async function fetchDocuments(ctx: Context): Promise<ActionDocuments> {
  const { id, install_id: installId } = ctx.plan;
  if (!id || !installId) {
    throw new RunnerError("protocol", `the plan of this action has no ${id ? "install_id" : "id"}`);
  }
  const run = await ctx.documents.actionRun(installId, id);
  if (!run.action_workflow_config_id) throw new RunnerError("protocol", "the action run names no config");
  const documents = { run, config: await ctx.documents.actionConfig(run.action_workflow_config_id) };
  mkdirSync(ctx.workspace.root, { recursive: true, mode: 0o700 });
  writeFileSync(documentsPath(ctx), JSON.stringify(documents), { mode: 0o600 });
  return documents;
}

function load(ctx: Context): ActionDocuments & { readonly steps: readonly ActionStep[] } {
  const documents = documentsFile.parse(JSON.parse(readFileSync(documentsPath(ctx), "utf8")));
  return { ...documents, steps: pairSteps(ctx.plan, documents) };
}

function registerSecrets(ctx: Context, maps: readonly Parameters<typeof secretEnvValues>[0][]): void {
  ctx.secrets.register(...maps.flatMap((map) => secretEnvValues(map, ctx.options.sensitive_vars)));
}

async function fetchSource(ctx: Context, step: ActionStep): Promise<void> {
  if (step.source === null) return;
  const into = emptyFolder(stepFiles(ctx.workspace.root, step).source);
  const { source } = step;
  if (source.kind === "oci") await ctx.sources.oci({ registry: source.registry, tag: source.tag }, into);
  else await ctx.sources.git(source, into);
}

const environmentOf = (ctx: Context, run: ActionRun, step: ActionStep, access?: StepAccess) =>
  stepEnvironment(ctx.tools, {
    plan: ctx.plan,
    run,
    step,
    outputs: stepFiles(ctx.workspace.root, step).outputs,
    root: ctx.workspace.root,
    ...(access === undefined ? {} : { access }),
  });

/** Anew for each step: keys of a role are good for an hour. */
async function accessOf(ctx: Context): Promise<StepAccess> {
  const cluster = ctx.plan.cluster_info;
  const named = cluster?.endpoint || cluster?.kube_config;
  return {
    cloud: await cloudKeys(ctx, ctx.plan),
    kubeconfig: named ? await (await kubeAccess(ctx, cluster)).kubeconfig() : null,
  };
}

async function runStep(ctx: Context, run: ActionRun, step: ActionStep): Promise<void> {
  const { root } = ctx.workspace;
  const cwd = stepFolder(root, step);
  const env = environmentOf(ctx, run, step, await accessOf(ctx));
  const argv = stepArgv(step, { root, cwd, env });
  try {
    await ctx.exec({ key: step.key, argv, env, cwd });
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    throw new ToolError(step.key, error.end, `step "${step.name}" ${endedText(error.end)}`);
  }
}

function outputsOf(ctx: Context, step: ActionStep): Readonly<Record<string, unknown>> {
  try {
    return readOutputs(stepFiles(ctx.workspace.root, step).outputs);
  } catch (cause) {
    const remedy = cause instanceof RunnerError && cause.remedy ? { remedy: cause.remedy } : {};
    throw new RunnerError("job", `step "${step.name}": ${reasonOf(cause)}`, { ...remedy, cause });
  }
}
