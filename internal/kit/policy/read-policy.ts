import { fail, ok, type Result, RunnerError, reasonOf } from "../../protocol/errors.ts";
import { explainIssues } from "../../protocol/suggest.ts";
import { type Policy, policySchema, type Rule } from "./schema.ts";

/** Largest policy file, bytes of UTF-8. */
const FILE_LIMIT = 256 * 1024;
/** Most values in it, counted after aliases are followed: a bomb is small only as a file. */
const NODE_LIMIT = 50_000;
const DEPTH_LIMIT = 16;

/** A policy from its text. Errors (usage) name the file, the key, what was found and what is allowed. */
export function readPolicy(text: string, file: string): Result<Policy> {
  if (Buffer.byteLength(text) > FILE_LIMIT) return bad([`${file}: larger than ${FILE_LIMIT / 1024} KiB`]);
  if (text.trim() === "") return bad([`${file}: empty; a policy needs at least version and default`]);
  let value: unknown;
  try {
    value = Bun.YAML.parse(text);
  } catch (error) {
    return bad([`${file}: not YAML: ${reasonOf(error)}`]);
  }
  if (value === null || value === undefined)
    return bad([`${file}: empty; a policy needs at least version and default`]);
  const excess = excessOf(value);
  if (excess !== null) return bad([`${file}: ${excess}`]);
  const parsed = policySchema.safeParse(value);
  if (!parsed.success) return bad(explainIssues(parsed.error, value, file, policySchema));
  const faults = conflicts(parsed.data.rules);
  return faults.length === 0 ? ok(parsed.data) : bad(faults.map((fault) => `${file}: ${fault}`));
}

function excessOf(root: unknown): string | null {
  let left = NODE_LIMIT;
  const walk = (value: unknown, depth: number): string | null => {
    left -= 1;
    if (left < 0) return `more than ${NODE_LIMIT} values`;
    if (depth > DEPTH_LIMIT) return `nested deeper than ${DEPTH_LIMIT} levels`;
    if (value === null || typeof value !== "object") return null;
    for (const inner of Object.values(value)) {
      const fault = walk(inner, depth + 1);
      if (fault !== null) return fault;
    }
    return null;
  };
  return walk(root, 0);
}

/** Of these a rule that allows means all, one that refuses any: the same words can mean two things. */
const LISTS = ["sources", "images", "commands", "releases", "terraform", "kubernetes"] as const;

/** Rules that could never decide anything are a mistake of the writer, who would believe in them. */
function conflicts(rules: readonly Rule[]): string[] {
  const faults: string[] = [];
  const names = new Set<string>();
  const conditions = new Map<string, Rule>();
  let everything: string | null = null;
  for (const one of rules) {
    const { name, when = {} } = one;
    if (name === "default" || names.has(name)) {
      faults.push(
        `rule ${name}: ${name === "default" ? "the name is taken by the default" : "there are two of this name"}`,
      );
    }
    names.add(name);
    const same = conditions.get(JSON.stringify(when));
    if (everything !== null)
      faults.push(`rule ${name}: never decides, rule ${everything} before it is about every job`);
    else if (same !== undefined && (same.effect === one.effect || !LISTS.some((key) => when[key] !== undefined)))
      faults.push(`rule ${name}: never decides, rule ${same.name} before it has the same conditions`);
    conditions.set(JSON.stringify(when), one);
    if (Object.keys(when).length === 0) everything ??= name;
  }
  return faults;
}

const bad = (faults: readonly string[]): Result<never> =>
  fail(
    new RunnerError("usage", `the policy cannot be used: ${faults.slice(0, 5).join("; ")}`, {
      remedy: "Correct the file; `runner policy test FILE JOB` checks it. docs/policy.md shows every key.",
    }),
  );
