import { ok, type Result } from "../../protocol/errors.ts";
import { newId } from "../../protocol/ids.ts";
import type { ActionSpec } from "../../protocol/job-file.ts";
import type { ActionRun, ActionWorkflowConfig } from "../../protocol/nuon/actions.ts";
import { msToNs } from "../../protocol/nuon/base.ts";
import type { ActionWorkflowRunPlan } from "../../protocol/nuon/plans.ts";
import type { Submission } from "../../protocol/operator.ts";
import { plainEnv } from "./env.ts";
import { wireSource } from "./sources.ts";

/** Everything of an action job that is not common to all jobs. */
export interface CompiledAction {
  readonly runId: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly plan: ActionWorkflowRunPlan;
  readonly run: ActionRun;
  readonly config: ActionWorkflowConfig;
  readonly sources: readonly string[];
}

interface Ids {
  readonly install: string;
  readonly app: string;
  readonly appConfig: string;
  readonly workflow: string;
  readonly config: string;
  readonly run: string;
}

type Step = ActionSpec["steps"][number];
type PlanStep = NonNullable<ActionWorkflowRunPlan["steps"]>[number];

/**
 * Plan, run and config documents of an action (nuon-handlers.md 2.7, 9.1). The i-th entry of all three step lists is
 * the same step, because the Go runner pairs them so. `spec.env` becomes built-in env, the lowest layer, so that a
 * step's own env wins.
 */
export function compileAction(
  spec: ActionSpec,
  submission: Submission,
  context: { readonly name: string; readonly timeoutMs: number; readonly now: string },
): Result<CompiledAction> {
  const ids: Ids = {
    install: newId("install"),
    app: newId("app"),
    appConfig: newId("appConfig"),
    workflow: newId("actionWorkflow"),
    config: newId("actionConfig"),
    run: newId("actionRun"),
  };
  const env = plainEnv(spec.env, "spec.env");
  if (!env.ok) return env;
  const rows: { plan: PlanStep; configId: string; step: Step; text: StepText }[] = [];
  const sources: string[] = [];
  for (const [idx, step] of spec.steps.entries()) {
    const text = stepText(step);
    const planned = planStep(step, idx, text, submission, sources);
    if (!planned.ok) return planned;
    rows.push({ plan: planned.value.plan, configId: planned.value.configId, step, text });
  }
  const row = { created_at: context.now, updated_at: context.now };
  const config: ActionWorkflowConfig = {
    id: ids.config,
    ...row,
    app_id: ids.app,
    app_config_id: ids.appConfig,
    action_workflow_id: ids.workflow,
    triggers: [],
    steps: rows.map(({ configId, step, text, plan }, idx) => ({
      id: configId,
      ...row,
      app_id: ids.app,
      app_config_id: ids.appConfig,
      action_workflow_config_id: ids.config,
      name: step.name,
      previous_step_id: rows[idx - 1]?.configId ?? "",
      idx,
      env_vars: plan.interpolated_env_vars,
      command: text.command,
      inline_contents: text.inline,
    })),
    timeout: msToNs(context.timeoutMs),
  };
  return ok({
    runId: ids.run,
    metadata: {
      install_id: ids.install,
      action_workflow_id: ids.workflow,
      action_workflow_name: context.name,
      action_workflow_run_id: ids.run,
    },
    plan: {
      id: ids.run,
      install_id: ids.install,
      attrs: { "action.name": context.name, "action.id": ids.workflow },
      steps: rows.map(({ plan }) => plan),
      builtin_env_vars: {
        NUON_APP_ID: ids.app,
        NUON_INSTALL_ID: ids.install,
        TRIGGER_TYPE: "manual",
        ...env.value,
      },
      override_env_vars: {},
      cluster_info: null,
      aws_auth: null,
    },
    run: {
      id: ids.run,
      ...row,
      install_id: ids.install,
      status: "queued",
      trigger_type: "manual",
      action_workflow_config_id: ids.config,
      steps: rows.map(({ plan, configId }) => ({
        id: plan.run_id ?? "",
        ...row,
        status: "pending",
        install_action_workflow_run_id: ids.run,
        step_id: configId,
        execution_duration: 0,
      })),
      run_env_vars: {},
    },
    config,
    sources: [...new Set(sources)],
  });
}

interface StepText {
  readonly command: string;
  readonly inline: string;
}

/** The Go runner executes inline contents directly: without a shebang of its own the text gets the strict shell's. */
function stepText(step: Step): StepText {
  if (step.command !== undefined) return { command: step.command, inline: "" };
  const run = step.run ?? "";
  return { command: "", inline: run.startsWith("#!") ? run : `#!/bin/sh -eu\n${run}` };
}

function planStep(
  step: Step,
  idx: number,
  text: StepText,
  submission: Submission,
  sources: string[],
): Result<{ plan: PlanStep; configId: string }> {
  const env = plainEnv(step.env, `spec.steps[${idx}].env`);
  if (!env.ok) return env;
  const configId = newId("actionStep");
  const plan: PlanStep = {
    run_id: newId("actionStep"),
    attrs: { "step.name": step.name, "step.id": configId },
    interpolated_env_vars: env.value,
    git_source: null,
    interpolated_inline_contents: text.inline,
    interpolated_command: text.command,
  };
  if (step.source === undefined) return ok({ plan, configId });
  const found = wireSource(step.source, `spec.steps.${idx}.source`, submission);
  if (!found.ok) return found;
  const source = found.value;
  if (source.kind === "git") return ok({ plan: { ...plan, git_source: source.git }, configId });
  if (source.digest !== null) sources.push(source.digest);
  return ok({ plan: { ...plan, source: source.artifact }, configId });
}
