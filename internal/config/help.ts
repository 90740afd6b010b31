import { COMMANDS, type CommandInfo, type CommandName } from "./commands.ts";
import { allowedOf } from "./parse-value.ts";
import type { Setting } from "./setting.ts";
import { SETTING_NAMES, SETTINGS, settingsOf } from "./settings.ts";

/** Exit codes as people read them; the numbers are protocol/errors.ts's. */
export const EXIT_HELP = [
  "0 done · 1 the job failed · 2 usage or configuration · 3 refused by the control plane, or unreachable",
  "4 refused by policy or signature · 5 cancelled · 6 timed out · 70 a defect of runner itself",
] as const;

/** `runner --help`: what it is, where to begin, every command. */
export function overview(version: string): string {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length));
  const rows = Object.entries(COMMANDS).map(([name, info]) => `  ${name.padEnd(width)}  ${info.summary}`);
  return [
    `runner ${version} executes deployment and automation jobs inside your own infrastructure.`,
    "One binary, two halves: the runner works jobs, the coordinator queues them and shows them on a page.",
    "",
    "Begin here:",
    "  runner up                    a coordinator, a runner, a page and a first job, all on this machine",
    "  runner run-local job.yaml    one job file, no server",
    "  runner run --help            a runner for an existing control plane",
    "",
    "Commands:",
    ...rows,
    `  ${"install build org mng".padEnd(width)}  runner run --mode install, org, org, mng (also: management)`,
    "",
    "Every command has --help with its options and examples.",
    "",
    "Exit codes:",
    ...EXIT_HELP.map((line) => `  ${line}`),
    "",
    "Environment: every option has a variable, RUNNER_… (shown in --help); options win over variables, variables over",
    "--config FILE (YAML), that over defaults. NO_COLOR turns colours off.",
    "",
  ].join("\n");
}

/** `runner COMMAND --help`. */
export function commandHelp(command: CommandName): string {
  const info: CommandInfo = COMMANDS[command];
  const options = settingsOf(command).flatMap((name) => optionLines(SETTINGS[name]));
  return [
    `${info.summary[0]?.toUpperCase()}${info.summary.slice(1)}.`,
    "",
    `Usage: runner ${command}${info.operands ? ` ${info.operands}` : ""} [options]`,
    ...(info.details ? ["", ...wrap(info.details, 100)] : []),
    "",
    "Examples:",
    ...info.examples.map((example) => `  ${example}`),
    "",
    "Options:",
    ...options,
    "  --config FILE  [RUNNER_CONFIG]",
    "      YAML file with these options as keys, without their dashes.",
    "  -h, --help",
    "      This text.",
    "",
  ].join("\n");
}

/** Help of a word that begins commands, e.g. `runner job --help`. */
export function familyHelp(family: string, names: readonly CommandName[]): string {
  const width = Math.max(...names.map((name) => name.length));
  return [
    `Usage: runner ${family} COMMAND [options]`,
    "",
    ...names.map((name) => `  runner ${name.padEnd(width)}  ${COMMANDS[name].summary}`),
    "",
    "Every command has --help with its options and examples.",
    "",
  ].join("\n");
}

const PLACEHOLDER: Record<Setting["type"], string> = {
  string: " TEXT",
  bool: "",
  path: " PATH",
  url: " URL",
  place: " URL|FOLDER",
  address: " HOST:PORT",
  slots: " GROUP=N",
  labels: " KEY=VALUE",
  int: " N",
  duration: " DURATION",
  bytes: " SIZE",
  enum: "",
};

function optionLines(setting: Setting): string[] {
  const shown = setting.type === "enum" ? ` ${setting.values.join("|")}` : PLACEHOLDER[setting.type];
  const short = setting.short ? `-${setting.short}, ` : "";
  return [
    `  ${short}--${setting.flag}${shown}  [${setting.env}]`,
    ...wrap(`${setting.description}${without(setting)}`, 94).map((line) => `      ${line}`),
  ];
}

function without({ default: preset, otherwise }: Setting): string {
  if (otherwise?.startsWith("required")) return ` R${otherwise.slice(1)}.`;
  const value = preset ?? otherwise;
  return value === undefined ? "" : ` Default: ${value}.`;
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length >= width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

/** The table of the README and of docs/running.md, as Markdown. */
export function settingsTable(): string {
  const rows = SETTING_NAMES.map((name) => {
    const setting: Setting = SETTINGS[name];
    const cells = [
      `\`--${setting.flag}\``,
      `\`${setting.env}\``,
      setting.default === undefined ? (setting.otherwise ?? "") : `\`${setting.default}\``,
      allowedOf(setting),
      setting.description,
    ];
    return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  });
  return [
    "| option (file key without dashes) | variable | default | allowed | what |",
    "|---|---|---|---|---|",
    ...rows,
  ].join("\n");
}
