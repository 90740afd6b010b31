import type { AnyJobType } from "../../protocol/enums.ts";
import type { Claim } from "../../protocol/native.ts";
import { msToNs } from "../../protocol/nuon/base.ts";
import {
  type ActionWorkflowRunPlan,
  actionWorkflowRunPlan,
  type DeployPlan,
  deployPlan,
} from "../../protocol/nuon/plans.ts";
import { NO_DOCUMENTS } from "./compiled.ts";

/** An exact plan with what a runner reads beside it. */
interface PlanDocuments {
  readonly documents: Claim["documents"];
  /** A Go runner would miss something of it, or take it for something else. */
  readonly native: boolean;
}

/**
 * The documents that a runner asks for by the ids of an exact plan, made of what the plan itself says
 * (nuon-runner-api.md 2.14, 2.15). The ids are the submitter's: two jobs may have the same.
 */
export function planDocuments(
  type: AnyJobType,
  plan: unknown,
  context: { readonly now: string; readonly timeoutMs: number },
): PlanDocuments {
  if (plan === null) return { documents: NO_DOCUMENTS, native: false };
  switch (type) {
    case "actions-workflow": {
      const action = actionWorkflowRunPlan.safeParse(plan);
      return action.success ? ofAction(action.data, context) : NONE;
    }
    case "terraform-deploy":
    case "helm-chart-deploy":
    case "kubernetes-manifest-deploy": {
      const deploy = deployPlan.safeParse(plan);
      return deploy.success ? ofDeploy(deploy.data, context.now) : NONE;
    }
    default:
      // Its plan does not tell the version of terraform.
      return { documents: NO_DOCUMENTS, native: type === "sandbox-terraform" };
  }
}

const NONE: PlanDocuments = { documents: NO_DOCUMENTS, native: true };

type ActionStep = NonNullable<ActionWorkflowRunPlan["steps"]>[number];

function ofAction(
  plan: ActionWorkflowRunPlan,
  { now, timeoutMs }: { readonly now: string; readonly timeoutMs: number },
): PlanDocuments {
  const { id, install_id: installId } = plan;
  if (!id || !installId || plan.steps?.some((step) => !step.run_id)) return NONE;
  const row = { created_at: now, updated_at: now };
  const configId = `acc${id.slice(3)}`;
  const steps = (plan.steps ?? []).map((step, idx) => {
    const runId = step.run_id ?? "";
    return { step, idx, runId, stepId: step.attrs?.["step.id"] || `acs${runId.slice(3)}` };
  });
  const run: Claim["documents"]["action_run"] = {
    id,
    ...row,
    install_id: installId,
    status: "queued",
    trigger_type: "manual",
    action_workflow_config_id: configId,
    steps: steps.map(({ runId, stepId }) => ({
      id: runId,
      ...row,
      status: "pending",
      install_action_workflow_run_id: id,
      step_id: stepId,
      execution_duration: 0,
    })),
    run_env_vars: {},
  };
  const config: Claim["documents"]["action_config"] = {
    id: configId,
    ...row,
    action_workflow_id: plan.attrs?.["action.id"] || `acw${id.slice(3)}`,
    triggers: [],
    steps: steps.map(({ step, idx, stepId }) => ({
      id: stepId,
      ...row,
      action_workflow_config_id: configId,
      name: step.attrs?.["step.name"] || `step-${idx + 1}`,
      idx,
      env_vars: step.interpolated_env_vars ?? {},
      command: step.interpolated_command ?? "",
      inline_contents: step.interpolated_inline_contents ?? "",
    })),
    timeout: msToNs(timeoutMs),
  };
  const native = steps.length === 0 || steps.some(({ step }) => isOurs(step));
  return { documents: { ...NO_DOCUMENTS, action_run: run, action_config: config }, native };
}

/** A packed folder, or a command that a Go runner would split at every space. */
const isOurs = (step: ActionStep) => step.source != null || /["'\\]/.test(step.interpolated_command ?? "");

function ofDeploy(plan: DeployPlan, now: string): PlanDocuments {
  const {
    app_id: appId,
    app_config_id: configId,
    component_id: componentId,
    helm,
    kubernetes_manifest: manifest,
  } = plan;
  if (!appId || !configId || !componentId) return NONE;
  const connection = {
    component_id: componentId,
    // No version: any that is on the runner's PATH.
    ...(plan.terraform == null ? {} : { terraform_module: { version: "" } }),
    ...(helm == null ? {} : { helm: { chart_name: helm.name ?? "" } }),
    ...(manifest == null ? {} : { kubernetes_manifest: { namespace: manifest.namespace ?? "" } }),
  };
  const appConfig: Claim["documents"]["app_config"] = {
    id: configId,
    created_at: now,
    updated_at: now,
    app_id: appId,
    status: "active",
    component_config_connections: [connection],
    version: 1,
  };
  const newer =
    plan.src_git != null || plan.src_path != null || helm?.runner_options != null || manifest?.runner_options != null;
  const native = plan.terraform != null || newer || (helm != null && plan.src_registry == null);
  return { documents: { ...NO_DOCUMENTS, app_config: appConfig }, native };
}
