import { JOB_TYPES, type JobType } from "../internal/protocol/enums.ts";
import { EXIT, RunnerError } from "../internal/protocol/errors.ts";
import { suggest } from "../internal/protocol/suggest.ts";
import type { Plugins } from "../internal/runner/plugins/load-plugins.ts";
import type { Command } from "./lib/context.ts";
import { TYPE_SUMMARY } from "./lib/explain/job-types.ts";
import { type KeyRow, keyRows } from "./lib/explain/key-rows.ts";
import { type Described, describeBuilt, describePlugin, schemaOf, strictly } from "./lib/explain/schema.ts";
import { pluginsFor } from "./lib/plugins.ts";

export const explain: Command = async (context) => {
  const { json } = context.values;
  const [word] = context.operands;
  const plugins = await pluginsFor(context);
  for (const { file, reason } of plugins.refused) context.say(`runner: plug-in refused: ${file}: ${reason}`);
  const known = [...built(), ...plugins.loaded.flatMap(describePlugin)];
  if (word === undefined) {
    context.out(json ? JSON.stringify(listed(known)) : listText(known));
    return EXIT.done;
  }
  const described = typeOf(word, known, plugins);
  const schema = schemaOf(described);
  context.out(json ? JSON.stringify(strictly(schema)) : typeText(described, keyRows(schema)));
  return EXIT.done;
};

const built = () => JOB_TYPES.map(describeBuilt).filter((one) => one !== null);
const notBuilt = (type: JobType) => describeBuilt(type) === null;

/** Worked by a runner or its mng, and there is nothing to say in a job file but the type. */
const TYPE_ALONE: readonly JobType[] = [
  "update-version",
  "mng-runner-update-version",
  "mng-runner-restart",
  "mng-shut-down",
  "mng-vm-shut-down",
];

/** With keys and example, for what makes documents of it. */
function listed(known: readonly Described[]) {
  return [
    ...known.map((one) => {
      const { type, summary, example } = one;
      return { type, summary, built: true, keys: keyRows(schemaOf(one)), example };
    }),
    ...JOB_TYPES.filter(notBuilt).map((type) => ({ type, summary: TYPE_SUMMARY[type], built: false })),
  ];
}

function listText(known: readonly Described[]): string {
  const width = Math.max(...[...JOB_TYPES, ...known.map(({ type }) => type)].map((type) => type.length));
  const line = ({ type, summary }: { type: string; summary: string }) => `  ${type.padEnd(width)}  ${summary}`;
  return [
    "Job types with a job file:",
    ...known.map(line),
    "",
    "Not built into this version:",
    ...JOB_TYPES.filter((type) => notBuilt(type) && !TYPE_ALONE.includes(type)).map((type) =>
      line({ type, summary: TYPE_SUMMARY[type] }),
    ),
    "",
    "Built in, with no keys of their own: `type: NAME` is a whole job file.",
    ...TYPE_ALONE.map((type) => line({ type, summary: TYPE_SUMMARY[type] })),
    "",
    "`runner explain TYPE` shows the keys and an example; with --handlers-dir plug-ins are listed too.",
  ].join("\n");
}

/** Throws RunnerError usage for a word that is no type, or a type without a job file in this version. */
function typeOf(word: string, known: readonly Described[], { loaded }: Plugins): Described {
  const described = known.find((one) => one.type === word);
  if (described !== undefined) return described;
  const type = JOB_TYPES.find((one) => one === word);
  if (type !== undefined && TYPE_ALONE.includes(type)) {
    throw new RunnerError("usage", `job type ${type} has no keys of its own (${TYPE_SUMMARY[type]})`, {
      remedy: `\`type: ${type}\` is a whole job file.`,
    });
  }
  if (type !== undefined) {
    throw new RunnerError("usage", `job type ${type} is not built into this version (${TYPE_SUMMARY[type]})`, {
      remedy: "`runner explain` lists the types that are.",
    });
  }
  if (word.startsWith("x-") && loaded.length === 0) {
    throw new RunnerError("usage", `there is no job type ${JSON.stringify(word)}`, {
      remedy: "Types that begin with x- come from plug-ins: name their folder with --handlers-dir.",
    });
  }
  const near = suggest(word, [...JOB_TYPES, ...known.map((one) => one.type)]);
  throw new RunnerError("usage", `there is no job type ${JSON.stringify(word)}`, {
    remedy: near ? `Did you mean \`runner explain ${near}\`?` : "`runner explain` lists the types.",
  });
}

function typeText({ type, summary, example }: Described, rows: readonly KeyRow[]): string {
  const name = (row: KeyRow) => `${row.path}${row.required ? " *" : ""}`;
  const width = Math.max(...rows.map((row) => name(row).length));
  const line = (row: KeyRow) =>
    `  ${name(row).padEnd(width)}  ${row.takes}${row.meaning ? `\n  ${"".padEnd(width)}    ${row.meaning}` : ""}`;
  return [
    `${type}: ${summary}`,
    "",
    "Keys (* is required):",
    ...rows.map(line),
    "",
    "Example:",
    "",
    example.trimEnd(),
  ].join("\n");
}
