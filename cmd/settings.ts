import { EXIT, RunnerError } from "../internal/protocol/errors.ts";
import { type SettingsDoc, settingsDoc, wishesPatch } from "../internal/protocol/runner-wishes.ts";
import { unknownWord } from "../internal/protocol/suggest.ts";
import type { Command } from "./lib/context.ts";
import { operatorFrom } from "./lib/operator-client.ts";
import { table } from "./lib/table.ts";

/** Shows the settings of one runner, or of all without RUNNER; with --set or --unset it changes them first. */
export const runnersSettings: Command = async (context) => {
  const { set, unset, reason, json } = context.values;
  const [runner] = context.operands;
  const path = runner === undefined ? "/settings" : `/runners/${encodeURIComponent(runner)}/settings`;
  const client = operatorFrom(context.values);
  const patch = patchOf(set ?? {}, (unset ?? "").split(",").filter(Boolean));
  const doc =
    Object.keys(patch).length === 0
      ? await client.get(path, settingsDoc)
      : await client.change(path, settingsDoc, { settings: patch, ...(reason === null ? {} : { reason }) });
  context.out(json ? JSON.stringify(doc) : textOf(doc));
  return EXIT.done;
};

const KEYS = Object.keys(wishesPatch.shape);

/** What a person writes as text, as the document of the API. Throws RunnerError usage. */
function patchOf(set: Readonly<Record<string, string>>, unset: readonly string[]): Record<string, unknown> {
  const patch: Record<string, unknown> = {};
  for (const key of [...Object.keys(set), ...unset]) {
    if (!KEYS.includes(key)) throw new RunnerError("usage", unknownWord("setting", key, KEYS));
  }
  for (const [key, text] of Object.entries(set)) patch[key] = wishOf(key, text);
  for (const key of unset) patch[key] = null;
  const checked = wishesPatch.safeParse(patch);
  const issue = checked.error?.issues[0];
  if (issue) throw new RunnerError("usage", `--set ${issue.path.join(".")}: ${issue.message}`);
  return patch;
}

function wishOf(key: string, text: string): unknown {
  if (key === "groups") return text.split("+");
  if (key === "logging_level") return text.toUpperCase();
  if (key === "metadata") return Object.fromEntries(text.split("+").map((pair) => pair.split(/:(.*)/s).slice(0, 2)));
  if (key.startsWith("enable_") || key === "sandbox_mode")
    return text === "true" ? true : text === "false" ? false : text;
  return /_(ms|lifetime)$/.test(key) ? Number(text) : text;
}

function textOf({ own, effective }: SettingsDoc): string {
  const from = (key: string) => (key in own ? "set here" : "all runners");
  const rows = Object.entries(effective).map(([key, value]) => [
    key,
    typeof value === "object" ? JSON.stringify(value) : String(value),
    from(key),
  ]);
  if (rows.length === 0) return "nothing is set: what is built in counts";
  return table(["setting", "value", "from"], rows);
}
