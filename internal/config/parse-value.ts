import { JOB_GROUPS } from "../protocol/enums.ts";
import { fail, ok, type Result } from "../protocol/errors.ts";
import { duration } from "../protocol/job-file.ts";
import { suggest } from "../protocol/suggest.ts";
import type { Setting } from "./setting.ts";

/** What is allowed, for the error message; `near` is what was probably meant. */
export interface Refused {
  readonly allowed: string;
  readonly near?: string | null;
}
type Parse<T> = Result<T, Refused>;

/** A setting's value from text (flag, env) or from YAML (file). */
export function parseValue(setting: Setting, raw: unknown): Parse<unknown> {
  if (setting.type === "slots" || setting.type === "labels") {
    const pairs = toPairs(raw);
    if (pairs === null) return fail({ allowed: setting.type === "slots" ? SLOTS : LABELS });
    return setting.type === "slots" ? parseSlots(pairs) : parseLabels(pairs);
  }
  if (typeof raw !== "string" && typeof raw !== "number" && typeof raw !== "boolean") {
    return fail({ allowed: allowedOf(setting) });
  }
  const text = String(raw).trim();
  if (text === "") return fail({ allowed: allowedOf(setting) });
  return parseText(setting, text);
}

function parseText(setting: Setting, text: string): Parse<unknown> {
  const refused = { allowed: allowedOf(setting) };
  const within = (value: number | null, min: number, max: number): Parse<number> =>
    value !== null && value >= min && value <= max ? ok(value) : fail(refused);
  switch (setting.type) {
    case "bool":
      return text === "true" || text === "1" ? ok(true) : text === "false" || text === "0" ? ok(false) : fail(refused);
    case "int":
      return within(/^-?\d+$/.test(text) ? Number(text) : null, setting.min, setting.max);
    case "duration":
      return within(parseDuration(text), parseDuration(setting.min) ?? 0, parseDuration(setting.max) ?? 0);
    case "bytes":
      return within(parseBytes(text), parseBytes(setting.min) ?? 0, parseBytes(setting.max) ?? 0);
    case "enum":
      return setting.values.includes(text) ? ok(text) : fail({ ...refused, near: suggest(text, setting.values) });
    case "url":
      return parseUrl(text, refused);
    case "place":
      return /^\/./.test(text) ? ok(text.replace(/\/+$/, "")) : parseUrl(text, refused);
    case "address":
      return parseAddress(text, refused);
    default:
      return ok(text);
  }
}

const SLOTS = `GROUP=N with N from 0 to 10000, GROUP one of ${JOB_GROUPS.join(", ")}, all`;
const LABELS = "KEY=VALUE, KEY of letters, digits, dot, dash, slash and underscore";

/** What a setting takes, as one phrase for errors and docs. */
export function allowedOf(setting: Setting): string {
  switch (setting.type) {
    case "string":
      return "a text that is not empty";
    case "path":
      return "a path";
    case "bool":
      return "true or false";
    case "int":
      return `a whole number from ${setting.min} to ${setting.max}`;
    case "duration":
      return `a duration from ${setting.min} to ${setting.max}, for example 90s or 1h30m`;
    case "bytes":
      return `a size from ${setting.min} to ${setting.max}, for example 256MiB`;
    case "enum":
      return setting.values.join(" | ");
    case "url":
      return "an http or https URL without user or password in it";
    case "place":
      return "an http or https URL without user or password in it, or the absolute path of a folder";
    case "address":
      return "HOST:PORT, for example 127.0.0.1:8080 or [::1]:0";
    case "slots":
      return SLOTS;
    case "labels":
      return LABELS;
  }
}

function parseDuration(text: string): number | null {
  const parsed = duration.safeParse(text);
  return parsed.success ? parsed.data : null;
}

const UNITS = ["B", "K", "M", "G", "T", "P"];

/** `4GiB` and `4G` count in 1024s, `4GB` in 1000s; a bare number is refused. */
function parseBytes(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)\s*([BKMGTP])(iB|B)?$/.exec(text);
  if (!match) return null;
  const [, amount, unit = "B", suffix] = match;
  if (unit === "B" && suffix !== undefined) return null;
  return Math.round(Number(amount) * (suffix === "B" ? 1000 : 1024) ** UNITS.indexOf(unit));
}

function parseUrl(text: string, refused: Refused): Parse<string> {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") return fail(refused);
  return ok(text.replace(/\/+$/, ""));
}

function parseAddress(text: string, refused: Refused): Parse<{ host: string; port: number }> {
  const match = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]*):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (!match || port > 65_535) return fail(refused);
  return ok({ host: (match[1] || "0.0.0.0").replace(/^\[|\]$/g, ""), port });
}

/** `a=1,b=2`, a list of such texts, or a YAML mapping. */
function toPairs(raw: unknown): [string, string][] | null {
  if (Array.isArray(raw)) return raw.reduce<[string, string][] | null>((all, one) => join(all, toPairs(one)), []);
  if (typeof raw === "object" && raw !== null) return Object.entries(raw).map(([key, value]) => [key, String(value)]);
  if (typeof raw !== "string") return null;
  const pairs: [string, string][] = [];
  for (const part of raw.split(",")) {
    const at = part.indexOf("=");
    if (at < 1) return null;
    pairs.push([part.slice(0, at).trim(), part.slice(at + 1).trim()]);
  }
  return pairs;
}

function join(all: [string, string][] | null, more: [string, string][] | null): [string, string][] | null {
  return all && more ? [...all, ...more] : null;
}

function parseSlots(pairs: readonly [string, string][]): Parse<Record<string, number>> {
  const names = [...JOB_GROUPS, "all"];
  for (const [group, count] of pairs) {
    if (!names.includes(group)) return fail({ allowed: SLOTS, near: suggest(group, names) });
    if (!/^\d{1,5}$/.test(count) || Number(count) > 10_000) return fail({ allowed: SLOTS });
  }
  return ok(Object.fromEntries(pairs.map(([group, count]) => [group, Number(count)])));
}

function parseLabels(pairs: readonly [string, string][]): Parse<Record<string, string>> {
  const bad = pairs.some(([key]) => !/^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}$/.test(key));
  return bad ? fail({ allowed: LABELS }) : ok(Object.fromEntries(pairs));
}
