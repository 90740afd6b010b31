import { z } from "zod";
import { JOB_TYPES, type JobType } from "../internal/protocol/enums.ts";
import { EXIT, RunnerError } from "../internal/protocol/errors.ts";
import { jobFile } from "../internal/protocol/job-file.ts";
import { CHANGE_TYPES, SPEC_SCHEMAS } from "../internal/protocol/job-file-parse.ts";
import { suggest } from "../internal/protocol/suggest.ts";
import type { Command } from "./lib/context.ts";
import { TYPE_EXAMPLE, TYPE_SUMMARY } from "./lib/explain/job-types.ts";
import { type KeyRow, keyRows } from "./lib/explain/key-rows.ts";

export const explain: Command = async (context) => {
  const { json } = context.values;
  const [word] = context.operands;
  if (word === undefined) {
    context.out(json ? JSON.stringify(listed()) : listText());
    return EXIT.done;
  }
  const type = typeOf(word);
  const schema = schemaOf(type);
  context.out(json ? JSON.stringify(strictly(schema)) : typeText(type, keyRows(schema)));
  return EXIT.done;
};

function listed() {
  return JOB_TYPES.map((type) => ({ type, summary: TYPE_SUMMARY[type], built: type in SPEC_SCHEMAS }));
}

function listText(): string {
  const width = Math.max(...JOB_TYPES.map((type) => type.length));
  const line = (type: JobType) => `  ${type.padEnd(width)}  ${TYPE_SUMMARY[type]}`;
  const has = (type: JobType) => type in SPEC_SCHEMAS;
  return [
    "Job types with a job file:",
    ...JOB_TYPES.filter(has).map(line),
    "",
    "Not built into this version:",
    ...JOB_TYPES.filter((type) => !has(type)).map(line),
    "",
    "`runner explain TYPE` shows the keys and an example.",
  ].join("\n");
}

/** Throws RunnerError usage for a word that is no type, or a type without a job file in this version. */
function typeOf(word: string): JobType {
  const type = JOB_TYPES.find((one) => one === word);
  if (type === undefined) {
    const near = suggest(word, JOB_TYPES);
    throw new RunnerError("usage", `there is no job type ${JSON.stringify(word)}`, {
      remedy: near ? `Did you mean \`runner explain ${near}\`?` : "`runner explain` lists the types.",
    });
  }
  if (type in SPEC_SCHEMAS) return type;
  throw new RunnerError("usage", `job type ${type} is not built into this version (${TYPE_SUMMARY[type]})`, {
    remedy: "`runner explain` lists the types that are.",
  });
}

/** Keys that only a type with a plan, an approval and an apply takes. */
const OF_CHANGES = ["operation", "approval"];

/** JSON Schema of a job file of this type: the common keys, with the spec of the type in its place. */
function schemaOf(type: JobType) {
  const work = SPEC_SCHEMAS[type] ?? z.strictObject({});
  const spec = (work.safeParse({}).success ? work.optional() : work).describe("the work itself");
  const own: Readonly<Record<string, z.ZodType>> = { type: z.literal(type).describe("what kind of work"), spec };
  const keys = Object.entries<z.ZodType>(jobFile.shape)
    .filter(([key]) => CHANGE_TYPES.includes(type) || !OF_CHANGES.includes(key))
    .filter(([key]) => key !== "spec" || Object.keys(work.shape).length > 0)
    .map(([key, schema]) => [key, own[key] ?? schema] as const);
  const schema = z.toJSONSchema(z.strictObject(Object.fromEntries(keys)), { io: "input" });
  return { title: `runner job file: ${type}`, description: TYPE_SUMMARY[type], ...schema };
}

/** For validators, which need each way written out: the work in `spec`, or the wire plan in its place. */
function strictly({ properties = {}, required = [], $schema, title, description }: ReturnType<typeof schemaOf>) {
  const { spec, plan, ...common } = properties;
  const head = { $schema, title, description };
  const way = (own: object, keys: readonly string[]) => ({
    type: "object",
    properties: { ...common, ...own },
    required: keys,
    additionalProperties: false,
  });
  const rest = required.filter((key) => key !== "spec");
  if (!required.includes("spec")) return { ...head, ...way({ ...(spec === undefined ? {} : { spec }), plan }, rest) };
  return { ...head, anyOf: [way({ spec }, [...rest, "spec"]), way({ plan }, [...rest, "plan"])] };
}

function typeText(type: JobType, rows: readonly KeyRow[]): string {
  const name = (row: KeyRow) => `${row.path}${row.required ? " *" : ""}`;
  const width = Math.max(...rows.map((row) => name(row).length));
  const line = (row: KeyRow) =>
    `  ${name(row).padEnd(width)}  ${row.takes}${row.meaning ? `\n  ${"".padEnd(width)}    ${row.meaning}` : ""}`;
  return [
    `${type}: ${TYPE_SUMMARY[type]}`,
    "",
    "Keys (* is required):",
    ...rows.map(line),
    "",
    "Example:",
    "",
    (TYPE_EXAMPLE[type] ?? `type: ${type}\n`).trimEnd(),
  ].join("\n");
}
