import { stringify } from "yaml";
import { isRecord } from "./values.ts";

/** Keys that people look for first. */
const FIRST = ["apiVersion", "kind", "metadata", "type", "spec"];

/** A value as lines of YAML, the same for the same value: keys ordered, texts of several lines as blocks. */
export function yamlLines(value: unknown): readonly string[] {
  return stringify(ordered(value, true), { lineWidth: 0, version: "1.1" }).replace(/\n$/, "").split("\n");
}

function ordered(value: unknown, top: boolean): unknown {
  if (Array.isArray(value)) return value.map((one) => ordered(one, false));
  if (!isRecord(value)) return value;
  const rank = (key: string) => (top && FIRST.includes(key) ? FIRST.indexOf(key) : FIRST.length);
  const keys = Object.keys(value).sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
  return Object.fromEntries(keys.map((key) => [key, ordered(value[key], false)]));
}
