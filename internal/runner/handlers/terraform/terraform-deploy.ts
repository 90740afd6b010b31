import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RunnerError, reasonOf } from "../../../protocol/errors.ts";
import type { ExecutionResultRequest } from "../../../protocol/nuon/jobs.ts";
import { type DeployPlan, deployPlan } from "../../../protocol/nuon/plans.ts";
import { type Handler, type JobContext, KeepWorkspaceError, StopError, TERRAFORM_LADDER } from "../../handler.ts";
import { fetchDeploySource } from "../deploy-source.ts";
import { withSandboxMode } from "../sandbox-mode.ts";
import { leafTexts } from "../secret-values.ts";
import { writeCliConfig } from "./cli-config.ts";
import { withCloudAccess } from "./cloud-access.ts";
import { runErrorHook, runHook } from "./hooks.ts";
import { checkedModule, emptySourceFolder, moduleFolder, planFile, prepareModule, varFiles } from "./module-folder.ts";
import { pluginCache } from "./plugin-cache.ts";
import { pretendTerraform } from "./pretend-terraform.ts";
import { explainSums } from "./provider-sums.ts";
import { encodeContents, refuseStalePlan } from "./saved-plan.ts";
import { synthesise } from "./synth.ts";
import { outputsOfCommand, readState, type TerraformOutputs } from "./terraform-outputs.ts";
import { lockMark, type TerraformRunner, terraformRunner } from "./terraform-run.ts";
import { type TerraformWork, terraformWork } from "./terraform-work.ts";
import { secretVariableValues } from "./variables.ts";

type Context = JobContext<DeployPlan>;

const workOf = (ctx: Context) => terraformWork(ctx.plan, ctx.job.operation);

/**
 * Plan, teardown plan, or apply of a saved plan (nuon-handlers.md 8, 9.7). State lies behind the http backend, whose
 * settings and credentials are in the tool's environment only. A saved plan is applied without var files: it holds its
 * values, and terraform refuses other ones.
 */
const realWork: Handler<DeployPlan> = {
  types: ["terraform-deploy"],
  plan: deployPlan,
  cancel: TERRAFORM_LADDER,

  async fetch(ctx) {
    const work = workOf(ctx);
    ctx.secrets.register(...secretVariableValues(work, ctx.options.sensitive_vars));
    const version = await askedVersion(ctx);
    await fetchDeploySource(ctx.sources, work.source, emptySourceFolder(ctx.workspace));
    writeFileSync(ctx.workspace.path("version"), version ?? "", { mode: 0o600 });
  },

  async validate(ctx) {
    const work = workOf(ctx);
    await synthesise(ctx, work);
    const { sensitiveVariables } = checkedModule(ctx.workspace, work);
    ctx.secrets.register(...secretVariableValues(work, sensitiveVariables));
    await refuseStalePlan(ctx, work);
    await findProgram(ctx);
  },

  async initialize(ctx) {
    const work = workOf(ctx);
    prepareModule(ctx.workspace, work);
    writeCliConfig(ctx, work);
    pluginCache(ctx, work).prepare();
  },

  async execute(ctx) {
    const work = await withCloudAccess(ctx, workOf(ctx));
    const terraform = terraformRunner(ctx, work, await findProgram(ctx));
    await ctx
      .step({ name: "init" }, () => terraform({ key: "init", args: ["init", "-no-color", "-input=false"] }))
      .catch((error: unknown) => {
        throw explainSums(ctx, moduleFolder(ctx.workspace, work), error);
      });
    sharePlugins(ctx, work);
    try {
      if (work.operation !== "apply") return await makePlan(ctx, work, terraform);
      await applyPlan(ctx, work, terraform);
      return null;
    } catch (error) {
      // State and lock first, then the outcome: whoever acts on the outcome must find both in order.
      await settleState(ctx, work).catch(() => undefined); // cleanup tries again, and says what is wrong
      throw error;
    }
  },

  async outputs(ctx) {
    const found = await currentOutputs(ctx, workOf(ctx));
    for (const name of found.sensitive) ctx.secrets.register(...leafTexts(found.values[name]));
    return found;
  },

  async cleanup(ctx) {
    const work = workIfValid(ctx);
    // Before init there is no backend: nothing was locked, and a lock found now is somebody else's.
    if (work === null || !existsSync(join(moduleFolder(ctx.workspace, work), ".terraform"))) return;
    await settleState(ctx, work);
  },
};

export const terraformDeploy = withSandboxMode(realWork, pretendTerraform);

/** What cannot be shared is fetched again by the next job: no reason to fail this one. */
function sharePlugins(ctx: Context, work: TerraformWork): void {
  try {
    pluginCache(ctx, work).publish();
  } catch (error) {
    ctx.log.warn(`the provider plug-ins of this job could not be shared: ${reasonOf(error)}`);
  }
}

/** Never called while terraform lives. */
async function settleState(ctx: Context, work: TerraformWork): Promise<void> {
  const saved = await saveErroredState(ctx, work);
  if (saved || existsSync(lockMark(ctx.workspace))) await ctx.state.unlockOwn(work.workspaceId);
}

/** Version from the component's entry in the app config; null: any. */
async function askedVersion(ctx: Context): Promise<string | null> {
  const { app_id: appId, app_config_id: configId, component_id: componentId } = ctx.plan;
  if (!appId || !configId || !componentId) {
    throw new RunnerError("protocol", "the plan names no app, app config or component");
  }
  const config = await ctx.documents.appConfig(appId, configId);
  const connection = config.component_config_connections?.find((one) => one.component_id === componentId);
  if (!connection?.terraform_module) {
    throw new RunnerError("protocol", `the app config has no terraform module for component ${componentId}`);
  }
  return connection.terraform_module.version?.replace(/^v(?=\d)/, "") || null;
}

/** Asked once per execution: the same program runs every step, also after a restart with another PATH. */
async function findProgram(ctx: Context): Promise<string> {
  const path = ctx.workspace.path("program");
  const known = existsSync(path) ? readFileSync(path, "utf8") : "";
  if (known !== "" && existsSync(known)) return known;
  const version = readFileSync(ctx.workspace.path("version"), "utf8") || null;
  const program = await ctx.tools.find(workOf(ctx).tool, version);
  writeFileSync(path, program, { mode: 0o600 });
  return program;
}

async function makePlan(
  ctx: Context,
  work: TerraformWork,
  terraform: TerraformRunner,
): Promise<ExecutionResultRequest> {
  const file = planFile(ctx.workspace);
  const destroy = work.operation === "plan-destroy";
  await ctx.step({ name: "plan" }, () =>
    terraform({
      key: "plan",
      args: ["plan", ...planFlags(ctx, work), `-out=${file}`, ...(destroy ? ["-destroy"] : [])],
      expect: [0, 2],
      locks: true,
    }),
  );
  await terraform({ key: "show-plan", args: ["show", "-json", "-no-color", file], capture: "plan.json" });
  return {
    success: true,
    // The plan file is a zip already.
    contents_compressed: encodeContents(readFileSync(file)),
    contents_display_compressed: encodeContents(Bun.gzipSync(readFileSync(ctx.workspace.path("plan.json")))),
  };
}

/** With -detailed-exitcode 0 means no changes, 2 means changes. */
function planFlags(ctx: Context, work: TerraformWork): string[] {
  const files = varFiles(ctx.workspace, work).map(({ path }) => `-var-file=${path}`);
  return ["-no-color", "-input=false", "-detailed-exitcode", ...files];
}

/** What the plan says itself is judged, not what was shown of it. */
async function passPolicy(ctx: Context, terraform: TerraformRunner): Promise<void> {
  if (!ctx.policy.wanted()) return;
  const args = ["show", "-json", "-no-color", planFile(ctx.workspace)] as const;
  await terraform({ key: "policy", args: [...args], capture: "policy-plan.json" });
  ctx.policy.terraformPlan(readFileSync(ctx.workspace.path("policy-plan.json"), "utf8"));
}

async function applyPlan(ctx: Context, work: TerraformWork, terraform: TerraformRunner): Promise<void> {
  const args = ["apply", "-no-color", "-input=false", planFile(ctx.workspace)] as const;
  await passPolicy(ctx, terraform);
  await runHook(ctx, work, "pre");
  try {
    await ctx.step({ name: "apply" }, () => terraform({ key: "apply", args: [...args], locks: true }));
  } catch (error) {
    // What a failed apply did make is shown too; when the job is being stopped nothing more is started.
    if (!(error instanceof StopError)) {
      await publishState(ctx, work, terraform);
      await runErrorHook(ctx, work);
    }
    throw error;
  }
  const { empty } = await publishState(ctx, work, terraform);
  await runHook(ctx, work, "post");
  if (!ctx.options.verify) return;
  if (empty) ctx.log.info("verify: nothing is left to compare with");
  else await ctx.step({ name: "verify" }, () => verify(ctx, work, terraform));
}

/** Show the new state to people. A failure here does not undo the apply: it is only logged. */
async function publishState(
  ctx: Context,
  work: TerraformWork,
  terraform: TerraformRunner,
): Promise<{ empty: boolean }> {
  try {
    await terraform({ key: "show-state", args: ["show", "-json", "-no-color"], capture: "state.json" });
    const bytes = readFileSync(ctx.workspace.path("state.json"));
    const { empty, outputs } = readState(bytes.toString());
    for (const name of outputs.sensitive) ctx.secrets.register(...leafTexts(outputs.values[name]));
    await ctx.state.putStateJson(work.workspaceId, bytes);
    return { empty };
  } catch (error) {
    if (error instanceof StopError) throw error;
    ctx.log.warn(`the state could not be shown on the control plane: ${reasonOf(error)}`);
    return { empty: false };
  }
}

async function verify(ctx: Context, work: TerraformWork, terraform: TerraformRunner): Promise<void> {
  const code = await terraform({ key: "verify", args: ["plan", ...planFlags(ctx, work)], expect: [0, 2], locks: true });
  if (code === 0) return;
  throw new RunnerError("job", "verify: a plan after apply is not empty", {
    remedy: "See the differences in the log: the module does not converge, or something else changes what it made.",
  });
}

/**
 * Outputs of the current state. An apply has shown that state already; after a plan terraform is asked: the plan
 * document does not have them, both `prior_state` and `output_changes.before` hold values of the plan's refresh.
 */
async function currentOutputs(ctx: Context, work: TerraformWork): Promise<TerraformOutputs> {
  const state = ctx.workspace.path("state.json");
  if (work.operation === "apply" && existsSync(state)) {
    try {
      return readState(readFileSync(state, "utf8")).outputs;
    } catch (error) {
      // Cut off (a full disk): terraform has the values.
      ctx.log.debug(`terraform is asked for its outputs: ${reasonOf(error)}`);
    }
  }
  const terraform = terraformRunner(ctx, work, await findProgram(ctx));
  await terraform({ key: "output", args: ["output", "-no-color", "-json"], capture: "outputs.json" });
  return outputsOfCommand(readFileSync(ctx.workspace.path("outputs.json"), "utf8"));
}

/** Cleanup runs after any failure: a plan that cannot be used has nothing to clean up. */
function workIfValid(ctx: Context): TerraformWork | null {
  try {
    return workOf(ctx);
  } catch {
    return null;
  }
}

/** Terraform leaves `errored.tfstate` when the backend did not take the state: it is the only copy. */
async function saveErroredState(ctx: Context, work: TerraformWork): Promise<boolean> {
  const path = join(moduleFolder(ctx.workspace, work), "errored.tfstate");
  if (!existsSync(path)) return false;
  let reason = "the control plane did not take it";
  try {
    if (await ctx.state.pushErrored(work.workspaceId, readFileSync(path))) {
      ctx.log.info("the state that terraform could not save has been saved now");
      return true;
    }
  } catch (error) {
    reason = reasonOf(error);
  }
  // The lock stays: nobody may go on from the state before this apply without knowing.
  throw new KeepWorkspaceError(`the state of this apply is not saved (${reason}); it is kept in ${path}`);
}
