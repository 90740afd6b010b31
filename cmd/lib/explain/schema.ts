import { z } from "zod";
import { type AnyJobType, isPluginType } from "../../../internal/protocol/enums.ts";
import { jobFile } from "../../../internal/protocol/job-file.ts";
import { CHANGE_TYPES, SPEC_SCHEMAS } from "../../../internal/protocol/job-file-parse.ts";
import type { LoadedPlugin } from "../../../internal/runner/plugins/load-plugins.ts";
import { TYPE_EXAMPLE, TYPE_SUMMARY } from "./job-types.ts";

/** What can be said of the job files of one type. */
export interface Described {
  readonly type: AnyJobType;
  readonly summary: string;
  /** Schema of `spec`. */
  readonly spec: z.ZodType;
  /** A job file as a person would begin it. */
  readonly example: string;
}

/** A type of this version, or null for one that has no job file in it. */
export function describeBuilt(type: keyof typeof TYPE_SUMMARY): Described | null {
  const spec = SPEC_SCHEMAS[type];
  if (spec === undefined) return null;
  return { type, summary: TYPE_SUMMARY[type], spec, example: TYPE_EXAMPLE[type] ?? `type: ${type}\n` };
}

export function describePlugin(plugin: LoadedPlugin): Described[] {
  const summary = plugin.summary ?? `a plug-in: ${plugin.file}`;
  return plugin.types.map((type) => ({ type, summary, spec: plugin.handler.plan, example: exampleOf(type, plugin) }));
}

/** An author gives none: the keys that are required, with words for their values. */
function exampleOf(type: string, { handler }: LoadedPlugin): string {
  const { required = [] } = z.looseObject({ required: z.array(z.string()).optional() }).parse(specSchema(handler.plan));
  const keys = required.map((key) => `  ${key}: …\n`);
  return `type: ${type}\n${keys.length === 0 ? "" : `spec:\n${keys.join("")}`}`;
}

/** A plug-in may ask for what JSON Schema has no word for: any value stands there. */
const specSchema = (spec: z.ZodType) => z.toJSONSchema(spec, { io: "input", unrepresentable: "any" });

/** Keys that only a type with a plan, an approval and an apply takes. */
const OF_CHANGES = ["operation", "approval", "approval_expiry"];

/** JSON Schema of a job file of this type: the common keys, with the spec of the type in its place. */
export function schemaOf({ type, summary, spec: work }: Described) {
  const noKeys = work instanceof z.ZodObject && Object.keys(work.shape).length === 0;
  const spec = (work.safeParse({}).success ? work.optional() : work).describe("the work itself");
  const own: Readonly<Record<string, z.ZodType>> = { type: z.literal(type).describe("what kind of work"), spec };
  const keys = Object.entries<z.ZodType>(jobFile.shape)
    .filter(([key]) => CHANGE_TYPES.includes(type) || !OF_CHANGES.includes(key))
    .filter(([key]) => key !== "spec" || !noKeys)
    .filter(([key]) => key !== "plan" || !isPluginType(type))
    .map(([key, schema]) => [key, own[key] ?? schema] as const);
  const whole = z.strictObject(Object.fromEntries(keys));
  const schema = z.toJSONSchema(whole, { io: "input", unrepresentable: "any" });
  return { title: `runner job file: ${type}`, description: summary, ...schema };
}

/** For validators, which need each way written out: the work in `spec`, or the wire plan in its place. */
export function strictly({ properties = {}, required = [], $schema, title, description }: ReturnType<typeof schemaOf>) {
  const { spec, plan, ...common } = properties;
  const head = { $schema, title, description };
  const way = (own: object, keys: readonly string[]) => ({
    type: "object",
    properties: { ...common, ...own },
    required: keys,
    additionalProperties: false,
  });
  const rest = required.filter((key) => key !== "spec");
  if (plan === undefined) return { ...head, ...way({ spec }, required) };
  if (!required.includes("spec")) return { ...head, ...way({ ...(spec === undefined ? {} : { spec }), plan }, rest) };
  return { ...head, anyOf: [way({ spec }, [...rest, "spec"]), way({ plan }, [...rest, "plan"])] };
}
