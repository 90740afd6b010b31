import { dirname, resolve } from "node:path";
import { RunnerError, reasonOf } from "../protocol/errors.ts";
import { suggest } from "../protocol/suggest.ts";
import type { CommandName } from "./commands.ts";
import { parseValue } from "./parse-value.ts";
import type { Args } from "./read-args.ts";
import type { Setting } from "./setting.ts";
import { OTHER_ENV, SETTING_NAMES, SETTINGS, type SettingName, settingsOf, type Values } from "./settings.ts";

/** Where an effective value came from; `name` is what a person would look for. */
export interface Source {
  readonly kind: "flag" | "env" | "file" | "default";
  readonly name: string;
}

/** The effective configuration of one command. Frozen; handed down, never read again from outside. */
export interface Config {
  readonly values: Values;
  readonly sources: Readonly<Record<SettingName, Source>>;
  /** One sentence each, for the process's log. */
  readonly warnings: readonly string[];
}

export interface Outside {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Throws what the file system throws. */
  readonly readText: (path: string) => string;
  /** Throws on what is not YAML. */
  readonly parseYaml: (text: string) => unknown;
}

/** flag > env > file > default. Throws RunnerError usage that names key, source, what was found and what is allowed. */
export function loadConfig(command: CommandName, args: Args, outside: Outside): Config {
  const file = readConfigFile(args.config ?? (outside.env.RUNNER_CONFIG || null), outside);
  const mine = new Set(settingsOf(command));
  const values: Record<string, unknown> = {};
  const sources: Partial<Record<SettingName, Source>> = {};
  for (const name of SETTING_NAMES) {
    const setting: Setting = SETTINGS[name];
    // Every key of a file is checked, whoever will read it; a variable only by the command that it is for.
    const inFile = file?.entries.get(setting.flag);
    const fromFile =
      inFile === undefined ? undefined : value(setting, inFile, { kind: "file", name: file?.path ?? "" });
    const given = mine.has(name) ? outermost(name, setting, args, outside) : null;
    const source: Source = given?.source ?? (inFile === undefined ? DEFAULT : { kind: "file", name: file?.path ?? "" });
    const raw = given ? value(setting, given.raw, given.source) : (fromFile ?? defaultOf(setting));
    values[name] = toPath(setting, raw, source.kind === "file" ? dirname(source.name) : outside.cwd);
    sources[name] = source;
  }
  return Object.freeze({
    values: Object.freeze(values) as Values,
    sources: Object.freeze(sources) as Record<SettingName, Source>,
    warnings: strangers(outside.env),
  });
}

const DEFAULT: Source = { kind: "default", name: "default" };

function outermost(name: SettingName, setting: Setting, args: Args, outside: Outside) {
  const flag = args.flags.get(name);
  if (flag !== undefined) return { raw: flag, source: { kind: "flag", name: `--${setting.flag}` } as const };
  const env = outside.env[setting.env];
  // An empty variable is how a unit file or a compose file says "not set".
  if (env !== undefined && env !== "") return { raw: env, source: { kind: "env", name: setting.env } as const };
  return null;
}

function defaultOf(setting: Setting): unknown {
  return setting.default === undefined ? null : value(setting, setting.default, DEFAULT);
}

function value(setting: Setting, raw: unknown, source: Source): unknown {
  const parsed = parseValue(setting, raw);
  if (parsed.ok) return parsed.value;
  const where = { flag: "the command line", env: `environment ${setting.env}`, file: source.name, default: "default" };
  const found = setting.secret ? "[redacted]" : JSON.stringify(raw);
  const { allowed, near } = parsed.error;
  throw new RunnerError("usage", `${setting.flag} (${where[source.kind]}): found ${found}, allowed is ${allowed}`, {
    remedy: near ? `Did you mean ${near}?` : `Correct ${setting.flag} in ${where[source.kind]}.`,
  });
}

function toPath(setting: Setting, raw: unknown, base: string): unknown {
  return setting.type === "path" && typeof raw === "string" && raw !== "-" ? resolve(base, raw) : raw;
}

function readConfigFile(given: string | null, outside: Outside) {
  if (given === null) return null;
  const path = resolve(outside.cwd, given);
  let document: unknown;
  try {
    document = outside.parseYaml(outside.readText(path));
  } catch (cause) {
    throw new RunnerError("usage", `config file ${path} cannot be read: ${reasonOf(cause)}`, {
      remedy: "Check the path given by --config or RUNNER_CONFIG, and that the file is YAML.",
      cause,
    });
  }
  if (document === null || document === undefined) return { path, entries: new Map<string, unknown>() };
  if (typeof document !== "object" || Array.isArray(document)) {
    throw new RunnerError(
      "usage",
      `config file ${path}: found ${Array.isArray(document) ? "a list" : `a ${typeof document}`}, allowed is a mapping of keys to values`,
      {
        remedy: "Write one `key: value` a line; the keys are the option names without their dashes.",
      },
    );
  }
  const entries = new Map<string, unknown>(Object.entries(document));
  const known = SETTING_NAMES.map((name) => SETTINGS[name].flag as string);
  for (const key of entries.keys()) {
    if (known.includes(key)) continue;
    const near = suggest(key.replaceAll("_", "-"), known);
    throw new RunnerError("usage", `config file ${path}: unknown key ${JSON.stringify(key)}`, {
      remedy: near ? `Did you mean ${near}?` : "The keys are the option names without their dashes (docs/running.md).",
    });
  }
  return { path, entries };
}

/** RUNNER_* variables nobody reads are probably misspelt; they do not stop a start, for others may own them. */
function strangers(env: Outside["env"]): string[] {
  const known: string[] = [...SETTING_NAMES.map((name) => SETTINGS[name].env as string), ...OTHER_ENV];
  return Object.keys(env)
    .filter((name) => name.startsWith("RUNNER_") && !known.includes(name))
    .map((name) => {
      const near = suggest(name, known);
      return `environment variable ${name} is not known${near ? `; did you mean ${near}?` : ""}`;
    });
}
