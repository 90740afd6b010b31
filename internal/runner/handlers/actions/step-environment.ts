import { RunnerError } from "../../../protocol/errors.ts";
import type { ActionRun } from "../../../protocol/nuon/actions.ts";
import type { ActionWorkflowRunPlan } from "../../../protocol/nuon/plans.ts";
import type { ToolFinder } from "../../handler.ts";
import type { ActionStep } from "./pair-steps.ts";

type EnvMap = Readonly<Record<string, string | null>> | null | undefined;

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
  const layers: EnvMap[] = [plan.builtin_env_vars, ours, step.env, run.run_env_vars, plan.override_env_vars];
  const merged: Record<string, string> = {};
  for (const layer of layers) {
    for (const [name, value] of Object.entries(layer ?? {})) merged[checkedName(step, name, value)] = value ?? "";
  }
  const env = tools.env(merged);
  // RUNNER_ names carry the execution's marker and the outputs file: no document may point them elsewhere.
  const kept = Object.entries({ ...tools.env({}), ...ours }).filter(([name]) => name.startsWith("RUNNER_"));
  return { ...env, ...Object.fromEntries(kept) };
}

function checkedName(step: ActionStep, name: string, value: string | null): string {
  const problem =
    name === "" || /[=\0]/.test(name) ? "is not a name" : value?.includes("\0") ? "has a NUL byte in its value" : null;
  if (problem === null) return name;
  throw new RunnerError("job", `step "${step.name}": the environment variable ${JSON.stringify(name)} ${problem}`);
}
