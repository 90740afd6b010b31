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
}

/** What the plan, run and config say, lowest layer first (nuon-handlers.md 9.1), around our own names. */
export function stepEnvironment(tools: Pick<ToolFinder, "env">, input: StepEnvironmentInput): Record<string, string> {
  const { plan, run, step } = input;
  const ours = {
    RUNNER_OUTPUT: input.outputs,
    NUON_ACTIONS_OUTPUT_FILEPATH: input.outputs,
    NUON_ACTIONS_ROOT: input.root,
    NUON_KUBECONFIG_ENABLED: "false",
  };
  const layers = [plan.builtin_env_vars, ours, step.env, run.run_env_vars, plan.override_env_vars];
  return jobEnvironment(tools, { who: `step "${step.name}"`, layers, ours });
}
