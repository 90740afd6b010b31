import { COMMAND_NAMES, type CommandName } from "../internal/config/commands.ts";
import { formatValue, type Written } from "../internal/config/format-value.ts";
import { configSchema } from "../internal/config/json-schema.ts";
import type { Source } from "../internal/config/load.ts";
import type { Setting } from "../internal/config/setting.ts";
import { SETTING_NAMES, SETTINGS, type SettingName, settingsOf } from "../internal/config/settings.ts";
import { EXIT, RunnerError } from "../internal/protocol/errors.ts";
import { suggest } from "../internal/protocol/suggest.ts";
import type { Command, Context } from "./lib/context.ts";
import { table } from "./lib/table.ts";

export const config: Command = async (context) => {
  const { schema, json } = context.values;
  const names = shownOf(context.operands);
  if (schema) context.out(json ? JSON.stringify(configSchema()) : JSON.stringify(configSchema(), null, 2));
  else if (json) context.out(JSON.stringify(Object.fromEntries(names.map((name) => documentOf(context, name)))));
  else
    context.out(
      table(
        ["option", "value", "source"],
        names.map((name) => rowOf(context, name)),
      ),
    );
  return EXIT.done;
};

/** Settings of one command, or all of them; not those that only shape this very output. */
function shownOf(words: readonly string[]): readonly SettingName[] {
  if (words.length === 0) return SETTING_NAMES.filter((name) => name !== "json" && name !== "schema");
  const asked = words.join(" ");
  const known = COMMAND_NAMES.find((name) => name === asked);
  if (known) return settingsOf(known);
  const near = suggest(asked, COMMAND_NAMES satisfies CommandName[]);
  throw new RunnerError("usage", `there is no command ${JSON.stringify(asked)} whose settings could be shown`, {
    remedy: near ? `Did you mean \`runner config ${near}\`?` : "`runner --help` lists the commands.",
  });
}

/** A secret never leaves this function: only whether there is one. */
function writtenOf(context: Context, name: SettingName): Written {
  const setting: Setting = SETTINGS[name];
  const value = context.values[name];
  if (setting.secret) return value === null ? null : "set";
  return formatValue(setting, value);
}

function rowOf(context: Context, name: SettingName): string[] {
  const setting: Setting = SETTINGS[name];
  const value = writtenOf(context, name);
  const shown = value === null ? `(${setting.otherwise ?? "not set"})` : textOf(value);
  return [setting.flag, shown, sourceText(context.sources[name])];
}

function textOf(value: Exclude<Written, null>): string {
  if (typeof value !== "object") return String(value);
  return Object.entries(value)
    .map(([key, one]) => `${key}=${one}`)
    .join(",");
}

function sourceText({ kind, name }: Source): string {
  return { flag: `flag ${name}`, env: `env ${name}`, file: `file ${name}`, default: "default" }[kind];
}

function documentOf(context: Context, name: SettingName): readonly [string, unknown] {
  const setting: Setting = SETTINGS[name];
  const source = context.sources[name];
  const value = writtenOf(context, name);
  const what = setting.secret ? { secret: true, set: value !== null } : { value };
  const from = source.kind === "default" ? {} : { from: source.name };
  return [setting.flag, { ...what, source: source.kind, ...from }];
}
