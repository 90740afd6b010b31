import { COMMAND_NAMES, COMMANDS, type CommandName, MODE_ALIASES } from "../../../internal/config/commands.ts";
import type { Setting } from "../../../internal/config/setting.ts";
import { SETTINGS, settingsOf } from "../../../internal/config/settings.ts";
import { JOB_TYPES } from "../../../internal/protocol/enums.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** What may follow an option: one of these words, a file, anything; `flag`: nothing. */
export type Takes = { readonly words: readonly string[] } | "file" | "text" | "flag";

export interface OptionFacts {
  /** `--mode`, and `-f` where there is one. */
  readonly names: readonly string[];
  readonly summary: string;
  readonly takes: Takes;
}

export interface CommandFacts {
  /** `run`, or `job submit`. */
  readonly name: string;
  readonly summary: string;
  readonly options: readonly OptionFacts[];
  /** What stands behind it without a dash; null: nothing that can be known. */
  readonly operands: Takes | null;
}

/** Everything that can be completed, from the tables of commands and settings. */
export function completionFacts(): readonly CommandFacts[] {
  const commands = COMMAND_NAMES.map((name) => factsOf(name, name, COMMANDS[name].summary));
  const aliases = Object.entries(MODE_ALIASES).map(([alias, mode]) =>
    factsOf("run", alias, `the runner in mode ${mode}`),
  );
  return [...commands, ...aliases];
}

const META: readonly OptionFacts[] = [
  { names: ["--config"], summary: "YAML file with these options as keys", takes: "file" },
  { names: ["--help", "-h"], summary: "options and examples", takes: "flag" },
];

function factsOf(command: CommandName, name: string, summary: string): CommandFacts {
  const options = settingsOf(command).map((setting) => optionOf(SETTINGS[setting]));
  return { name, summary, options: [...options, ...META], operands: OPERANDS[command] ?? null };
}

function optionOf(setting: Setting): OptionFacts {
  const names = [`--${setting.flag}`, ...(setting.short ? [`-${setting.short}`] : [])];
  return { names, summary: firstClause(setting.description), takes: takesOf(setting) };
}

function takesOf(setting: Setting): Takes {
  if (setting.type === "bool") return "flag";
  if (setting.type === "enum") return { words: setting.values };
  return setting.type === "path" ? "file" : "text";
}

/** Short enough for a menu, and free of what shells treat as syntax. */
function firstClause(text: string): string {
  return (text.split(/[;.]/)[0] ?? text).replace(/[`'"\\[\]$:]/g, "");
}

const OPERANDS: Partial<Readonly<Record<CommandName, Takes>>> = {
  "run-local": "file",
  completion: { words: SHELLS },
  config: { words: [...new Set(COMMAND_NAMES.map((name) => name.split(" ")[0] ?? ""))] },
  explain: { words: JOB_TYPES },
};

/** First words, and what may follow a first word that begins a family (`job` → `submit`, `list`, …). */
export function wordsOf(commands: readonly CommandFacts[]) {
  const first = [...new Set(commands.map((one) => one.name.split(" ")[0] ?? ""))];
  const families = new Map<string, CommandFacts[]>();
  for (const one of commands) {
    const [family = "", second] = one.name.split(" ");
    if (second !== undefined) families.set(family, [...(families.get(family) ?? []), one]);
  }
  return { first, families };
}
