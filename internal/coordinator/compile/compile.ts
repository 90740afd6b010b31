import { groupOfType, type JobGroup, type JobOperation } from "../../protocol/enums.ts";
import { ok, type Result } from "../../protocol/errors.ts";
import { newId } from "../../protocol/ids.ts";
import { type ParsedJob, parseJobDocument } from "../../protocol/job-file-parse.ts";
import type { Claim } from "../../protocol/native.ts";
import { deployPlan, terraformDeployBlock } from "../../protocol/nuon/plans.ts";
import type { Submission } from "../../protocol/operator.ts";
import { compileAction } from "./action.ts";
import { type CompiledJob, type CompiledSubmission, NO_DOCUMENTS } from "./compiled.ts";
import { compileContainer } from "./container.ts";
import { compileHelm } from "./helm.ts";
import { compileJobDeploy } from "./job-deploy.ts";
import { compileManifest } from "./kubernetes-manifest.ts";
import { leavesVersionOpen, needsSynthesis, quotesCommand } from "./only-ours.ts";
import { planDocuments } from "./plan-documents.ts";
import { compileScript } from "./script.ts";
import { usage } from "./sources.ts";
import { compileTerraform } from "./terraform.ts";
import { ACTION_TIMEOUT_MS, timeoutsOf } from "./timeouts.ts";

export interface CompileContext {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Id of the workspace of this name, found or made. Only asked for types that have one. */
  readonly workspaceId: (name: string) => string;
  /** The same by id, for exact plans. Throws RunnerError (usage) when another workspace has it for a name. */
  readonly exactWorkspace: (id: string) => string;
  /** This coordinator serves HTTPS: a Go runner pulls sources over nothing else. */
  readonly https: boolean;
  /** Whether an uploaded source has a file of this path. Left out: nobody can tell. */
  readonly hasFile?: (digest: string, path: string) => boolean;
}

/** Longest execution that is taken: a day more than anything sensible, far below what nanoseconds in a double hold. */
const LONGEST_MS = 7 * 24 * 3_600_000;

/** Name of the Terraform workspace a job file works on, null when it has none. */
export function workspaceOf(parsed: ParsedJob): string | null {
  return parsed.work.kind === "terraform" ? parsed.work.spec.workspace : null;
}

/** The job file of a submission, checked; the first half of `compileSubmission`. */
export function parseSubmission(submission: Submission): Result<ParsedJob> {
  const parsed = parseJobDocument(submission.job, "job");
  if (!parsed.ok) return parsed;
  const { timeout } = parsed.value.file;
  if (timeout !== undefined && (timeout < 1_000 || timeout > LONGEST_MS)) {
    return usage(`job: timeout: found ${timeout} ms; expected between 1s and 7d`);
  }
  return parsed;
}

/** Wire job, plan and documents of a job file. Errors are of kind `usage` and name the key. */
export function compileSubmission(
  parsed: ParsedJob,
  submission: Submission,
  context: CompileContext,
): Result<CompiledSubmission> {
  const { file, work } = parsed;
  const name = file.name ?? workspaceOf(parsed) ?? (work.kind === "helm" ? work.spec.release : file.type);
  const now = new Date(context.now).toISOString();
  const base = commonOf(parsed, submission, name);
  switch (work.kind) {
    case "action": {
      const timeoutMs = file.timeout ?? ACTION_TIMEOUT_MS;
      const action = compileAction(work.spec, submission, { name, timeoutMs, now });
      if (!action.ok) return action;
      const { plan, run, config, metadata, runId, sources } = action.value;
      return single({
        ...base,
        ownerId: runId,
        ownerType: "install_action_workflow_runs",
        metadata,
        plan: JSON.stringify(plan),
        documents: { ...NO_DOCUMENTS, action_run: run, action_config: config },
        native: base.native || (plan.steps?.some((step) => step.source != null) ?? false) || quotesCommand(work.spec),
        sources,
      });
    }
    case "terraform": {
      const { spec, operation } = work;
      const workspace = { id: context.workspaceId(spec.workspace), name: spec.workspace };
      const deploy = compileTerraform(spec, submission, { name, now, workspaceId: workspace.id, operation });
      if (!deploy.ok) return deploy;
      const job: CompiledJob = {
        ...base,
        ...deployOwner(deploy.value.deployId),
        operation: deploy.value.operation,
        metadata: deploy.value.metadata,
        plan: JSON.stringify(deploy.value.plan),
        documents: { ...NO_DOCUMENTS, app_config: deploy.value.appConfig },
        options: {
          ...base.options,
          verify: spec.verify ?? false,
          sensitive_vars: unique([...base.options.sensitive_vars, ...(spec.sensitive ?? [])]),
        },
        native:
          base.native ||
          deploy.value.native ||
          deploy.value.sources.some((digest) => needsSynthesis(digest, context.hasFile)) ||
          leavesVersionOpen(spec),
        plainHttp: !context.https && deploy.value.sources.length > 0,
        sources: deploy.value.sources,
        workspace,
      };
      return ok({ job, change: operation === "plan" ? null : { ...changeWish(file), operation } });
    }
    case "helm":
    case "manifest": {
      const { operation } = work;
      const about = { name, now, operation };
      const deploy =
        work.kind === "helm"
          ? compileHelm(work.spec, submission, about)
          : compileManifest(work.spec, submission, about);
      if (!deploy.ok) return deploy;
      const { deployId, appConfig, native, plan, ...rest } = deploy.value;
      const job: CompiledJob = {
        ...base,
        ...rest,
        ...deployOwner(deployId),
        plan: JSON.stringify(plan),
        documents: { ...NO_DOCUMENTS, app_config: appConfig },
        native: base.native || native,
        plainHttp: !context.https && rest.sources.length > 0,
      };
      return ok({ job, change: operation === "plan" ? null : { ...changeWish(file), operation } });
    }
    case "script": {
      const script = compileScript(work.spec, submission);
      if (!script.ok) return script;
      return single({ ...base, plan: JSON.stringify(script.value.plan), sources: script.value.sources });
    }
    case "kubejob": {
      const plan = compileJobDeploy(work.spec, submission, name);
      if (!plan.ok) return plan;
      return single({ ...base, operation: "apply-plan", plan: JSON.stringify(plan.value), native: true });
    }
    case "container": {
      const container = compileContainer(work.spec, submission, file.requires?.gpus);
      if (!container.ok) return container;
      return single({ ...base, plan: JSON.stringify(container.value.plan), sources: container.value.sources });
    }
    case "shutdown":
      return single({ ...base, metadata: { shutdown_type: work.how } });
    case "plan": {
      const { documents, native } = planDocuments(file.type, work.plan, { now, timeoutMs: base.timeouts.executionMs });
      return single({
        ...base,
        // The word without which a Go runner does nothing (nuon-handlers.md 9.15).
        ...(file.type === "mng-vm-shut-down" ? { metadata: { shutdown_type: "vm" } } : {}),
        workspace: planWorkspace(work.plan, context),
        plan: work.plan === null ? null : JSON.stringify(work.plan),
        documents,
        exact: true,
        native: base.native || native,
      });
    }
  }
}

/** The workspace an exact plan names by its id; it is made when it is not there, under that id. */
function planWorkspace(
  plan: Readonly<Record<string, unknown>> | null,
  context: CompileContext,
): CompiledJob["workspace"] {
  const deploy = deployPlan.safeParse(plan);
  const sandbox = terraformDeployBlock.safeParse(plan);
  const backend =
    (deploy.success ? deploy.data.terraform?.terraform_backend : null) ??
    (sandbox.success ? sandbox.data.terraform_backend : null);
  const id = backend?.WorkspaceID;
  return id ? { id: context.exactWorkspace(id), name: id } : null;
}

/** How the change of a job file is approved. */
const changeWish = (file: ParsedJob["file"]) =>
  ({
    approval: file.approval === "required" ? "required" : "automatic",
    approvalMs: file.approval_expiry ?? null,
  }) as const;

const NATIVE_GROUPS: readonly JobGroup[] = ["scripts", "containers", "plugins"];

const single = (job: CompiledJob): Result<CompiledSubmission> => ok({ job, change: null });
const deployOwner = (id: string) => ({ ownerId: id, ownerType: "install_deploys" });
const unique = (names: readonly string[]) => [...new Set(names)];

/** The wire operation of a job that is no change of ours: what Nuon's server writes for its group. */
function plainOperation({ file, work }: ParsedJob): JobOperation {
  const group = groupOfType(file.type);
  if (group === "build") return "build";
  if (file.operation === "plan") return "create-apply-plan";
  if (file.operation === "destroy") return "create-teardown-plan";
  if (file.operation === "apply" || file.type === "noop-deploy") return "apply-plan";
  if (group !== "deploy" && group !== "sandbox") return "exec";
  // An exact plan says by its contents whether it is to be made or applied.
  const contents = work.kind === "plan" ? work.plan?.apply_plan_contents : undefined;
  return typeof contents === "string" && contents !== "" ? "apply-plan" : "create-apply-plan";
}

/** Wishes of the job file that no Nuon document carries. */
function wishesOf({
  resources,
  outputs,
  operation,
}: ParsedJob["file"]): Pick<Claim["options"], "resources" | "outputs"> {
  const { cpu = null, memory = null, pids } = resources ?? {};
  const limits = { cpu, memory_bytes: memory, ...(pids === undefined ? {} : { pids }) };
  const named = Object.entries(outputs ?? {}).map(([name, { required = false, sensitive = false }]) => {
    // After a destroy there are no outputs.
    return [name, { required: required && operation !== "destroy", sensitive }] as const;
  });
  return {
    ...(cpu === null && memory === null && pids === undefined ? {} : { resources: limits }),
    ...(named.length === 0 ? {} : { outputs: Object.fromEntries(named) }),
  };
}

function commonOf(parsed: ParsedJob, submission: Submission, name: string): CompiledJob {
  const { file } = parsed;
  const deploy = groupOfType(file.type) === "deploy";
  return {
    name,
    type: file.type,
    group: groupOfType(file.type),
    operation: plainOperation(parsed),
    ...(deploy ? deployOwner(newId("deploy")) : { ownerId: submission.runner ?? "", ownerType: "runners" }),
    metadata: {},
    timeouts: timeoutsOf(file.type, file.timeout),
    maxExecutions: file.retry?.attempts ?? 1,
    plan: null,
    documents: NO_DOCUMENTS,
    options: {
      verify: false,
      cancel_grace_ms: file.cancel_grace ?? null,
      sensitive_vars: unique(submission.sensitive ?? []),
      ...wishesOf(file),
    },
    requires: file.requires ?? {},
    runnerId: submission.runner ?? null,
    // A Go runner knows neither limits nor what is asked of outputs: they must not be dropped silently.
    native: NATIVE_GROUPS.includes(groupOfType(file.type)) || Object.keys(wishesOf(file)).length > 0,
    sources: [],
    workspace: null,
    exact: false,
  };
}
