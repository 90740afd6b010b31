import type { StateDiff } from "../../protocol/operator.ts";
import type { Marked, ReadState } from "./terraform-state.ts";
import { collectSecrets, renderChange, renderValue } from "./terraform-value.ts";

type ResourceDiff = StateDiff["resources"][number];
type ValueDiff = Omit<ResourceDiff["attributes"][number], "path">;
type Compared = Pick<StateDiff, "summary" | "resources" | "outputs"> & { readonly lines: readonly string[] };

const REDACTED = "[redacted]";
const NOTHING: Marked = { value: undefined, marks: undefined };

/** What differs between two states, for machines and as lines for people; sensitive values in neither. */
export function compareStates(from: ReadState, to: ReadState): Compared {
  const secrets = secretsOf(from, to);
  const resources: ResourceDiff[] = [];
  const lines: string[] = [];
  for (const address of names(from.resources, to.resources)) {
    const before = from.resources.get(address) ?? NOTHING;
    const after = to.resources.get(address) ?? NOTHING;
    if (Bun.deepEquals(before.value, after.value)) continue;
    const action = actionOf(before, after);
    resources.push({ address, action, attributes: valueDiffs(before, after, secrets, "") });
    const marks = { beforeMarks: before.marks, afterMarks: after.marks };
    lines.push(`  ${SIGN[action]} ${address}`);
    lines.push(...renderChange({ before: before.value, after: after.value, ...marks, forced: [], secrets }, 6), "");
  }
  const outputs: StateDiff["outputs"] = [];
  const outputLines: string[] = [];
  for (const name of names(from.outputs, to.outputs)) {
    const before = from.outputs.get(name) ?? NOTHING;
    const after = to.outputs.get(name) ?? NOTHING;
    if (Bun.deepEquals(before.value, after.value)) continue;
    const change = valueDiff(before, after, secrets);
    outputs.push({ name, ...change });
    const text = (one: Marked) => renderValue({ ...one, secrets }, 2);
    const values = [before, after].filter((one) => one !== NOTHING).map(text);
    outputLines.push(`  ${SIGN[change.action]} ${name} = ${values.join(" -> ")}`);
  }
  if (outputLines.length > 0) lines.push("Outputs:", ...outputLines, "");
  const count = (action: ResourceDiff["action"]) => resources.filter((one) => one.action === action).length;
  const counts = { added: count("added"), removed: count("removed"), changed: count("changed") };
  return { summary: { ...counts, outputs: outputs.length }, resources, outputs, lines };
}

const SIGN = { added: "+", removed: "-", changed: "~" } as const;

const names = (a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>): string[] =>
  [...new Set([...a.keys(), ...b.keys()])].sort();

const actionOf = (before: Marked, after: Marked): ResourceDiff["action"] =>
  before.value === undefined ? "added" : after.value === undefined ? "removed" : "changed";

/** Differences of two values by path; a part that either side hides is one difference, without its insides. */
function valueDiffs(
  before: Marked,
  after: Marked,
  secrets: ReadonlySet<string>,
  path: string,
): ResourceDiff["attributes"] {
  const keys =
    before.marks === true || after.marks === true ? null : sharedKeys(before.value, after.value, path === "");
  if (keys === null) return [{ path, ...valueDiff(before, after, secrets) }];
  return keys.flatMap((key) => {
    const [old, now] = [member(before, key), member(after, key)];
    // A new or removed resource lists what it has, not what its schema leaves empty.
    if (Bun.deepEquals(old.value ?? null, now.value ?? null)) return [];
    return valueDiffs(old, now, secrets, path === "" ? key : `${path}.${key}`);
  });
}

/** Members to look at one by one; null: the two are compared as a whole. */
function sharedKeys(before: unknown, after: unknown, top: boolean): string[] | null {
  if (top) return names(new Map(entriesOf(before)), new Map(entriesOf(after)));
  if (Array.isArray(before) && Array.isArray(after)) return before.length === after.length ? Object.keys(before) : null;
  return isMap(before) && isMap(after) ? names(new Map(entriesOf(before)), new Map(entriesOf(after))) : null;
}

function valueDiff(before: Marked, after: Marked, secrets: ReadonlySet<string>): ValueDiff {
  const old = before.value === undefined || before.value === null ? undefined : masked(before, secrets);
  const now = after.value === undefined || after.value === null ? undefined : masked(after, secrets);
  return {
    action: old === undefined ? "added" : now === undefined ? "removed" : "changed",
    ...(old === undefined ? {} : { before: old.value }),
    ...(now === undefined ? {} : { after: now.value }),
    sensitive: (old?.hidden ?? false) || (now?.hidden ?? false),
  };
}

/** The value with `[redacted]` in place of everything that is marked, and whether there was any. */
function masked(one: Marked, secrets: ReadonlySet<string>): { readonly value: unknown; readonly hidden: boolean } {
  const { value, marks } = one;
  if (marks === true || (typeof value === "string" && secrets.has(value))) return { value: REDACTED, hidden: true };
  if (value === null || typeof value !== "object") return { value: value ?? null, hidden: false };
  const parts = Object.keys(value).map((key) => [key, masked(member(one, key), secrets)] as const);
  const hidden = parts.some(([, part]) => part.hidden);
  if (Array.isArray(value)) return { value: parts.map(([, part]) => part.value), hidden };
  return { value: Object.fromEntries(parts.map(([key, part]) => [key, part.value])), hidden };
}

function member({ value, marks }: Marked, key: string): Marked {
  return { value: at(value, key), marks: marks === true ? true : at(marks, key) };
}

function at(value: unknown, key: string): unknown {
  if (value === null || typeof value !== "object" || !Object.hasOwn(value, key)) return undefined;
  return (value as Record<string, unknown>)[key];
}

const entriesOf = (value: unknown) => (value !== null && typeof value === "object" ? Object.entries(value) : []);
const isMap = (value: unknown) => value !== null && typeof value === "object" && !Array.isArray(value);

/** Texts that are hidden somewhere are hidden wherever they are a whole value. */
function secretsOf(...states: readonly ReadState[]): ReadonlySet<string> {
  const secrets = new Set<string>();
  for (const { resources, outputs } of states) {
    for (const { value, marks } of [...resources.values(), ...outputs.values()]) collectSecrets(value, marks, secrets);
  }
  return secrets;
}
