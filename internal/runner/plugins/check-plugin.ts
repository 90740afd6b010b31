import { z } from "zod";
import { pluginType } from "../../protocol/enums.ts";
import { RunnerError } from "../../protocol/errors.ts";
import { explainIssues } from "../../protocol/suggest.ts";
import { type Handler, type JobContext, StopError } from "../handler.ts";
import type { PluginContext, PluginHandler } from "./plugin-api.ts";

type Step = (ctx: PluginContext<unknown>) => unknown;
const step = z.custom<Step>((value) => typeof value === "function", { error: "expected a function" });

const pluginHandler = z.strictObject({
  types: z.array(pluginType).min(1),
  summary: z.string().max(200).optional(),
  plan: z.custom<z.ZodType>((value) => value instanceof z.ZodType, {
    error: "expected a schema made with the given z",
  }),
  sensitive: z.array(z.string()).optional(),
  cancel: z
    .strictObject({
      first: z.enum(["SIGINT", "SIGTERM"]),
      grace_ms: z.number().int().min(0).max(86_400_000),
      last: z.literal("SIGTERM").optional(),
    })
    .optional(),
  fetch: step.optional(),
  validate: step.optional(),
  initialize: step.optional(),
  execute: step,
  outputs: step.optional(),
  cleanup: step.optional(),
} satisfies Record<keyof Required<PluginHandler<unknown>>, z.ZodType>);

export interface CheckedPlugin {
  readonly handler: Handler<unknown> & { readonly plan: z.ZodType };
  readonly types: readonly `x-${string}`[];
  /** One line; null: its author gave none. */
  readonly summary: string | null;
}

/**
 * What the module of a plug-in exports, as a handler of ours. Throws RunnerError usage with one fault a line, as job
 * files have them, and whatever the plug-in's own function throws.
 */
export function checkPlugin(module: unknown, file: string): CheckedPlugin {
  const exported = z.looseObject({ handler: z.unknown() }).safeParse(module);
  const make = exported.success ? exported.data.handler : undefined;
  if (typeof make !== "function") {
    throw new RunnerError("usage", `${file}: does not export a function \`handler\``, {
      remedy: "Write: export const handler = ({ z }) => ({ types: […], plan: …, async execute(ctx) {…} })",
    });
  }
  const made: unknown = make({ z });
  const parsed = pluginHandler.safeParse(made);
  if (!parsed.success) {
    throw new RunnerError("usage", explainIssues(parsed.error, made, file, pluginHandler).join("; "), {
      remedy: "handler.d.ts of the examples says what a handler is.",
    });
  }
  return { types: parsed.data.types, summary: parsed.data.summary ?? null, handler: handlerOf(parsed.data, made) };
}

/** `self` is what the plug-in made: its steps may call one another by `this`. */
function handlerOf(plugin: z.infer<typeof pluginHandler>, self: unknown): CheckedPlugin["handler"] {
  const run = async (work: Step, ctx: JobContext<unknown>): Promise<unknown> => {
    try {
      return await work.call(self, contextOf(ctx));
    } catch (error) {
      throw ofJob(error);
    }
  };
  const plain = (name: "fetch" | "validate" | "initialize" | "cleanup") => {
    const work = plugin[name];
    if (work === undefined) return {};
    return { [name]: async (ctx: JobContext<unknown>) => void (await run(work, ctx)) };
  };
  const { outputs, sensitive = [], cancel } = plugin;
  return {
    types: plugin.types,
    plan: plugin.plan,
    ...(cancel === undefined
      ? {}
      : { cancel: { first: cancel.first, grace_ms: cancel.grace_ms, ...(cancel.last ? { last: cancel.last } : {}) } }),
    ...plain("fetch"),
    ...plain("validate"),
    ...plain("initialize"),
    async execute(ctx) {
      await run(plugin.execute, ctx);
      return null;
    },
    ...(outputs === undefined
      ? {}
      : { outputs: async (ctx) => ({ values: valuesOf(await run(outputs, ctx)), sensitive }) }),
    ...plain("cleanup"),
  };
}

/** Outputs travel as JSON: what that cannot carry is said here and not lost on the way. */
function valuesOf(answer: unknown): Record<string, unknown> {
  const values = z.record(z.string(), z.json()).safeParse(answer);
  if (values.success) return values.data;
  const place = values.error.issues[0]?.path.map(String).join(".") || "the answer";
  throw new RunnerError("job", `outputs of the plug-in: ${place} is not a value that JSON has`);
}

/** A plug-in throws plain errors: they are faults of the job, not of the runner. */
function ofJob(error: unknown): unknown {
  if (error instanceof StopError || error instanceof RunnerError) return error;
  const text =
    error instanceof Error ? `${error.name === "Error" ? "" : `${error.name}: `}${error.message}` : String(error);
  return new RunnerError("job", text, { cause: error });
}

/** The published part of a job's context, and no more of it. */
function contextOf(ctx: JobContext<unknown>): PluginContext<unknown> {
  const { job, execution, plan, workspace, signal, log, tools, sources, secrets } = ctx;
  return {
    job: { id: job.id, type: job.type },
    execution,
    plan,
    workspace,
    signal,
    log,
    step: (one, work) => ctx.step(one, work),
    exec: (program) => ctx.exec(program),
    tools: { find: tools.find, env: tools.env },
    sources: { git: sources.git },
    secrets,
  };
}
