import type { z } from "zod";
import { allowedKeys } from "./schema-keys.ts";

/**
 * Sentences for people about input that a schema refused: which key, in which source, what was found, what is allowed,
 * and the near miss. Used for job files, operator requests, flags and configuration.
 */

/** The candidate nearest to `word`, or null when none is near (a third of the word, at most three edits). */
export function suggest(word: string, candidates: readonly string[]): string | null {
  const wanted = word.toLowerCase();
  const limit = Math.min(3, Math.max(1, Math.floor(wanted.length / 3)));
  let best: string | null = null;
  let bestDistance = limit + 1;
  for (const candidate of candidates) {
    const distance = editDistance(wanted, candidate.toLowerCase(), bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Damerau-Levenshtein (a swap of neighbours is one edit); gives up with `stop` when it cannot get below it. */
function editDistance(a: string, b: string, stop: number): number {
  if (Math.abs(a.length - b.length) >= stop) return stop;
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, (before[j - 2] ?? 0) + 1);
      row.push(cost);
    }
    before = last;
    last = row;
  }
  return last[b.length] ?? stop;
}

/** `unknown key "x"; allowed: …; did you mean "y"?` for one word of a closed list. */
export function unknownWord(what: string, word: string, allowed: readonly string[]): string {
  const near = suggest(word, allowed);
  const list = allowed.length === 0 ? "none" : allowed.join(", ");
  return `unknown ${what} ${JSON.stringify(word)}; allowed: ${list}${near === null ? "" : `; did you mean ${JSON.stringify(near)}?`}`;
}

type Issue = z.core.$ZodIssue;

/**
 * One line per fault: `<source>: <path>: <what is wrong>`. `input` is what was parsed, so that the lines can say what was
 * found; with `schema` unknown keys come with the allowed ones. Long values are cut; objects are named, not printed.
 */
export function explainIssues(error: z.ZodError, input: unknown, source: string, schema?: z.ZodType): string[] {
  const lines = error.issues.flatMap((issue) => explainOne(issue, [], input, schema));
  return [...new Set(lines)].map((line) => `${source}: ${line}`);
}

function explainOne(
  issue: Issue,
  prefix: readonly PropertyKey[],
  input: unknown,
  schema: z.ZodType | undefined,
): string[] {
  const path = [...prefix, ...issue.path];
  const found = valueAt(input, path);
  const at = pathText(path);
  if (issue.code === "unrecognized_keys") {
    const allowed = schema === undefined ? [] : allowedKeys(schema, path);
    return issue.keys.map((key) => {
      const text = allowed.length === 0 ? `unknown key ${JSON.stringify(key)}` : unknownWord("key", key, allowed);
      return at === "" ? text : `${at}: ${text}`;
    });
  }
  if (issue.code === "invalid_union") return explainUnion(issue.errors, path, input, schema);
  const place = at === "" ? "the document" : at;
  if (found === undefined && issue.code !== "custom") return [`${place} is missing; expected ${expectation(issue)}`];
  if (issue.code === "invalid_value" && typeof found === "string") {
    return [`${place}: ${unknownWord("value", found, issue.values.map(String))}`];
  }
  if (issue.code === "custom") return [`${place}: ${issue.message}`];
  return [`${place}: found ${describe(found)}; expected ${expectation(issue)}`];
}

/** The alternative the person most likely meant: the one whose faults lie deepest; equals are told together. */
function explainUnion(
  branches: readonly (readonly Issue[])[],
  path: readonly PropertyKey[],
  input: unknown,
  schema: z.ZodType | undefined,
): string[] {
  const flat = branches.flatMap((branch) => {
    const nested = branch.length === 1 && branch[0]?.code === "invalid_union" && branch[0].path.length === 0;
    return nested ? (branch[0] as Extract<Issue, { code: "invalid_union" }>).errors : [branch];
  });
  const unknownAtRoot = flat.flat().filter((issue) => issue.code === "unrecognized_keys" && issue.path.length === 0);
  const clean = flat.filter((branch) => branch.every((issue) => issue.path.length > 0));
  const chosen = clean.sort((a, b) => depth(b) - depth(a))[0];
  if (chosen !== undefined) return chosen.flatMap((issue) => explainOne(issue, path, input, schema));
  const strange = unknownAtRoot.filter((issue) => unknownToAll(issue, unknownAtRoot));
  if (strange.length > 0) return strange.flatMap((issue) => explainOne(issue, path, input, schema));
  const found = valueAt(input, path);
  const at = pathText(path);
  // A closed list beside an open form: the near miss is worth more than the form.
  const words = flat.flat().flatMap((issue) => (issue.code === "invalid_value" ? issue.values.map(String) : []));
  if (typeof found === "string" && suggest(found, words) !== null)
    return [`${at}: ${unknownWord("value", found, words)}`];
  const expected = [...new Set(flat.flat().map((issue) => expectation(issue)))].join(" or ");
  if (found === undefined && at !== "") return [`${at} is missing; expected ${expected}`];
  return [`${at === "" ? "the document" : at}: found ${describe(found)}; expected ${expected}`];
}

const depth = (branch: readonly Issue[]) => Math.max(0, ...branch.map((issue) => issue.path.length));

/** A key that one alternative knows is not the unknown one. */
function unknownToAll(issue: Issue, all: readonly Issue[]): boolean {
  if (issue.code !== "unrecognized_keys") return false;
  return issue.keys.some((key) => all.every((other) => other.code === "unrecognized_keys" && other.keys.includes(key)));
}

function expectation(issue: Issue): string {
  switch (issue.code) {
    case "invalid_type":
      // A schema with words of its own says more than its type.
      if (!issue.message.startsWith("Invalid input")) return issue.message;
      return TYPE_WORDS[issue.expected] ?? issue.expected;
    case "invalid_value":
      return `one of ${issue.values.map((value) => String(value)).join(", ")}`;
    case "too_small":
      return `${issue.inclusive === false ? "more than" : "at least"} ${issue.minimum}${unitOf(issue.origin)}`;
    case "too_big":
      return `${issue.inclusive === false ? "less than" : "at most"} ${issue.maximum}${unitOf(issue.origin)}`;
    case "unrecognized_keys":
      return "other keys";
    default:
      return issue.message;
  }
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a map of keys",
  record: "a map of keys",
};
const unitOf = (origin: string) => (origin === "string" ? " characters" : origin === "array" ? " entries" : "");

function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "nothing (null)";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object") return "a map of keys";
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const key of path) {
    if (value === null || typeof value !== "object") return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

/** `spec.steps[0].name`, as a person would write it. */
export function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, key) => (typeof key === "number" ? `${text}[${key}]` : text === "" ? String(key) : `${text}.${String(key)}`),
    "",
  );
}
