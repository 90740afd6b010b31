import { splitArgv } from "../../../kit/argv/split-argv.ts";
import { RunnerError, reasonOf } from "../../../protocol/errors.ts";
import type { ActionRun, ActionWorkflowConfig } from "../../../protocol/nuon/actions.ts";
import type { ActionWorkflowRunPlan, OciRegistry } from "../../../protocol/nuon/plans.ts";

/** One step of an action with everything the three documents say about it. */
export interface ActionStep {
  /** Id of the run step, for its status on the control plane. */
  readonly id: string;
  readonly name: string;
  /** Unique and stable within the execution: key of its tool and name of its folder. */
  readonly key: string;
  readonly work: { readonly inline: string } | { readonly argv: readonly [string, ...string[]] };
  readonly source: StepSource | null;
  readonly env: Readonly<Record<string, string | null>>;
}

export type StepSource =
  | {
      readonly kind: "git";
      readonly url: string;
      readonly ref: string;
      readonly path: string;
      readonly submodules: boolean;
      readonly knownHosts: string | null | undefined;
    }
  | { readonly kind: "oci"; readonly registry: OciRegistry; readonly tag: string; readonly path: string };

/** Some control planes name this repository when a step has no source (nuon-handlers.md 6.2). */
const NO_SOURCE_URL = "https://github.com/jonmorehouse/empty";

type ConfigStep = NonNullable<ActionWorkflowConfig["steps"]>[number];
type PlanStep = NonNullable<ActionWorkflowRunPlan["steps"]>[number];

/**
 * Join run, config and plan by their ids, in the order of the config. The lists come in any order, so an index means
 * nothing. Throws RunnerError when one of the three does not know a step, or when a step cannot be run at all.
 */
export function pairSteps(
  plan: ActionWorkflowRunPlan,
  documents: { readonly run: ActionRun; readonly config: ActionWorkflowConfig },
): ActionStep[] {
  const runSteps = documents.run.steps ?? [];
  if (runSteps.length === 0) throw mismatch("the run has no steps");
  const configById = new Map((documents.config.steps ?? []).map((step, at) => [step.id, { step, at }]));
  const planById = new Map((plan.steps ?? []).map((step) => [step.run_id, step]));
  const pairs = runSteps.map((run) => {
    const config = configById.get(run.step_id ?? "");
    if (!config) throw mismatch(`the config has no step ${run.step_id ?? "(none)"}, which the run names`);
    const planned = planById.get(run.id);
    if (!planned) throw mismatch(`the plan has no step ${run.id}, which the run names`);
    return { id: run.id, config: config.step, plan: planned, order: config.step.idx ?? config.at };
  });
  pairs.sort((a, b) => a.order - b.order);
  return pairs.map((pair, index) => actionStep(pair, `step-${index}`));
}

function actionStep(pair: { id: string; config: ConfigStep; plan: PlanStep }, key: string): ActionStep {
  const { id, config, plan } = pair;
  const name = config.name || plan.attrs?.["step.name"] || id;
  return {
    id,
    name,
    key,
    work: stepWork(name, config, plan),
    source: stepSource(plan),
    env: plan.interpolated_env_vars ?? config.env_vars ?? {},
  };
}

/** The plan's texts have their templates rendered; the config's are what the author wrote. */
function stepWork(name: string, config: ConfigStep, plan: PlanStep): ActionStep["work"] {
  const inline = plan.interpolated_inline_contents || (plan.interpolated_command ? "" : config.inline_contents);
  if (inline) return { inline };
  const command = plan.interpolated_command || config.command;
  if (!command) throw new RunnerError("job", `step "${name}" has neither a command nor inline contents`);
  try {
    return { argv: splitArgv(command) };
  } catch (cause) {
    const remedy = cause instanceof RunnerError && cause.remedy ? { remedy: cause.remedy } : {};
    throw new RunnerError("job", `step "${name}": ${reasonOf(cause)}`, { ...remedy, cause });
  }
}

function stepSource(plan: PlanStep): StepSource | null {
  if (plan.source) {
    return { kind: "oci", registry: plan.source.registry, tag: plan.source.tag, path: plan.source.path || "." };
  }
  const git = plan.git_source;
  if (!git?.url || git.url === NO_SOURCE_URL) return null;
  const { url, ref, path, recurse_submodules: submodules, known_hosts: knownHosts } = git;
  return { kind: "git", url, ref: ref || "HEAD", path: path || ".", submodules: submodules ?? false, knownHosts };
}

const mismatch = (what: string) => new RunnerError("protocol", `the documents of this action do not agree: ${what}`);
