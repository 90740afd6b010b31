import { z } from "zod";
import { actionWorkflowConfig } from "../../protocol/nuon/actions.ts";
import { actionWorkflowRunPlan, deployPlan } from "../../protocol/nuon/plans.ts";
import { containerPlan, scriptPlan } from "../../protocol/plans-ours.ts";
import { splitArgv } from "../argv/split-argv.ts";
import { deployFacts } from "./deploy-facts.ts";
import type { Facet, JobFacts } from "./facts.ts";
import { imageFact, listed, sourceFact } from "./places.ts";
import type { Operation } from "./schema.ts";

/** A job as it came, before anything of it is done. */
export interface JobInHand {
  readonly type: string;
  /** Of the wire. */
  readonly operation: string;
  /** The plan document; null: the type has none. */
  readonly plan: unknown;
  /** Of an action; null: there is none, or it is not here yet. */
  readonly actionConfig: unknown;
  /** Host and port of the control plane, as plans may name it. */
  readonly controlPlane: readonly string[];
}

/** A plan that its handler would not understand either says nothing: then everything about it stays unknown. */
export function jobFacts(job: JobInHand): JobFacts {
  const { type, plan, controlPlane } = job;
  const base = { ...NOTHING, type, operation: operationOf(job.operation) };
  if (plan === null || plan === undefined) return base;
  if (type === "actions-workflow") return { ...base, ...actionFacts(job) };
  if (type === "script") {
    const read = scriptPlan.safeParse(plan);
    if (!read.success) return { ...base, ...UNKNOWN };
    const { language, git_source: git, source, packages } = read.data;
    const commands = [`script ${language}`, ...(packages ?? []).map((name) => `package ${name}`)];
    return {
      ...base,
      sources: listed([sourceFact(git, source?.registry, source?.tag, controlPlane)]),
      commands: listed(commands),
    };
  }
  if (type === "container") {
    const read = containerPlan.safeParse(plan);
    if (!read.success) return { ...base, ...UNKNOWN };
    const { image, git_source: git, source, entrypoint, command } = read.data;
    const words = [...(entrypoint ?? []), ...(command ?? [])];
    return {
      ...base,
      sources: listed([sourceFact(git, source?.registry, source?.tag, controlPlane)]),
      images: listed([imageFact(image)]),
      commands: listed([words.length === 0 ? "image" : lineOf(words)]),
    };
  }
  const deploy = deployPlan.safeParse(plan);
  const known = deploy.success ? deployFacts(type, base.operation, deploy.data, controlPlane) : null;
  return { ...base, ...(known ?? UNKNOWN) };
}

const OPERATIONS: Readonly<Record<string, Operation>> = {
  "create-apply-plan": "plan",
  "create-teardown-plan": "plan-destroy",
  "apply-plan": "apply",
  build: "build",
};
const operationOf = (wire: string): Operation => OPERATIONS[wire] ?? "exec";

type Lists = Omit<JobFacts, "type" | "operation">;
const NOTHING: Lists = {
  sources: null,
  images: null,
  commands: null,
  releases: null,
  terraform: null,
  kubernetes: null,
};
const never: Facet<never> = { items: [], open: "never" };
const UNKNOWN: Lists = {
  sources: never,
  images: never,
  commands: never,
  releases: never,
  terraform: never,
  kubernetes: never,
};

/** The steps' commands as they will be run; a script in the plan is `inline`. */
function actionFacts({ plan, actionConfig, controlPlane }: JobInHand): Partial<JobFacts> {
  const read = actionWorkflowRunPlan.safeParse(plan);
  if (!read.success) return UNKNOWN;
  const steps = read.data.steps ?? [];
  const sources = listed(
    steps.map((one) => sourceFact(one.git_source, one.source?.registry, one.source?.tag, controlPlane)),
  );
  const config = actionWorkflowConfig.safeParse(actionConfig);
  const written = steps.map((one) => textOf(one.interpolated_inline_contents, one.interpolated_command));
  const rest = config.success ? (config.data.steps ?? []).map((one) => textOf(one.inline_contents, one.command)) : [];
  // What the plan leaves out the config says: as long as that is not here, there may be more.
  const lacks = written.includes(null);
  const items = [...written, ...(lacks ? rest : [])].filter((one) => one !== null);
  const open = lacks && !config.success ? "never" : "no";
  return { sources, commands: { items, open } };
}

function textOf(inline: string | null | undefined, command: string | null | undefined): string | null {
  if (inline) return "inline";
  if (!command) return null;
  try {
    return lineOf(splitArgv(command));
  } catch {
    return command;
  }
}

/** One argument is one word: what would be two is quoted. */
const lineOf = (argv: readonly string[]): string =>
  argv.map((word) => (/^[^\s"'\\]+$/.test(word) ? word : JSON.stringify(word))).join(" ");

/** The config of an action among the documents of a claim. */
export function actionConfigOf(documents: unknown): unknown {
  const read = z.looseObject({ action_config: z.unknown() }).safeParse(documents);
  return read.success ? read.data.action_config : null;
}
