import type { ActionRun } from "../../../protocol/nuon/actions.ts";
import type { ActionWorkflowRunPlan } from "../../../protocol/nuon/plans.ts";
import type { ToolFinder } from "../../handler.ts";
import { jobEnvironment } from "../job-environment.ts";
import type { ActionStep } from "./pair-steps.ts";

export interface StepEnvironmentInput {
  readonly plan: ActionWorkflowRunPlan;
  readonly run: ActionRun;
  readonly step: ActionStep;
  /** Absolute path of the outputs file of this step. */
  readonly outputs: string;
  /** NUON_ACTIONS_ROOT: the workspace that all steps share. */
  readonly root: string;
  /** Credentials of the plan, made for this step. */
  readonly access?: StepAccess;
}

export interface StepAccess {
  readonly cloud: Readonly<Record<string, string>>;
  /** File of the plan's cluster; null: it has none. */
  readonly kubeconfig: string | null;
}

/** What the plan, run and config say, lowest layer first (nuon-handlers.md 9.1), around our own names. */
export function stepEnvironment(tools: Pick<ToolFinder, "env">, input: StepEnvironmentInput): Record<string, string> {
  const { plan, run, step } = input;
  const { cloud, kubeconfig } = input.access ?? { cloud: {}, kubeconfig: null };
  const ours = {
    RUNNER_OUTPUT: input.outputs,
    NUON_ACTIONS_OUTPUT_FILEPATH: input.outputs,
    NUON_ACTIONS_ROOT: input.root,
    NUON_KUBECONFIG_ENABLED: String(kubeconfig !== null),
    ...(kubeconfig === null ? {} : { KUBECONFIG: kubeconfig }),
  };
  const layers = [plan.builtin_env_vars, cloud, ours, step.env, run.run_env_vars, plan.override_env_vars];
  return jobEnvironment(tools, { who: `step "${step.name}"`, layers, ours });
}
