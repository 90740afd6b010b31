import { z } from "zod";
import { looksSecret } from "../../kit/secrets/names.ts";
import { fail, ok, type Result, RunnerError } from "../../protocol/errors.ts";

/** What we read of a state file (format 4). Unknown keys are kept: Terraform adds some with each release. */
const instance = z.looseObject({
  index_key: z.union([z.string(), z.number()]).nullish(),
  deposed: z.string().nullish(),
  attributes: z.record(z.string(), z.unknown()).nullish(),
  sensitive_attributes: z.array(z.unknown()).nullish(),
});
const resource = z.looseObject({
  module: z.string().nullish(),
  mode: z.string().nullish(),
  type: z.string(),
  name: z.string(),
  instances: z.array(instance).nullish(),
});
const stateFile = z.looseObject({
  outputs: z.record(z.string(), z.looseObject({ value: z.unknown(), sensitive: z.boolean().nullish() })).nullish(),
  resources: z.array(resource).nullish(),
});

/** A value with the marks that hide parts of it; marks mirror its shape, `true` covers everything below. */
export interface Marked {
  readonly value: unknown;
  readonly marks: unknown;
}

/** A state as it is compared: every instance by its address, every output by its name. */
export interface ReadState {
  readonly resources: ReadonlyMap<string, Marked>;
  readonly outputs: ReadonlyMap<string, Marked>;
}

/** Marks by address from `terraform show -json`, which knows what the providers' schemas call sensitive. */
export type ShownMarks = ReadonlyMap<string, unknown>;

/** Reads a stored state. Sensitive is what the state marks, what `shown` marks, and what is named like a secret. */
export function readStateFile(body: Uint8Array, shown: ShownMarks): Result<ReadState> {
  let parsed: z.infer<typeof stateFile>;
  try {
    const document: unknown = JSON.parse(new TextDecoder().decode(body));
    if (depthOf(document, DEEPEST) > DEEPEST) return unreadable();
    parsed = stateFile.parse(document);
  } catch {
    // The parser's message quotes what it read, which may be a secret.
    return unreadable();
  }
  const resources = new Map<string, Marked>();
  for (const one of parsed.resources ?? []) {
    for (const found of one.instances ?? []) {
      const address = addressOf(one, found);
      const marks = join(marksOf(found.sensitive_attributes ?? []), shown.get(address));
      const plain = unwrapped({ value: found.attributes ?? {}, marks });
      resources.set(address, { ...plain, marks: join(plain.marks, namedLikeSecrets(plain.value)) });
    }
  }
  const outputs = Object.entries(parsed.outputs ?? {}).map(([name, { value, sensitive }]) => {
    const marks = sensitive || looksSecret(name) ? true : namedLikeSecrets(value);
    return [name, { value: value ?? null, marks }] as const;
  });
  return ok({ resources, outputs: new Map(outputs) });
}

const unreadable = (): Result<never> =>
  fail(new RunnerError("conflict", "this version is not a state that can be read (format 4)"));

/** Levels of a document that anybody wrote on purpose are far fewer; everything below walks it by recursion. */
const DEEPEST = 200;

/** Levels of a value; stops looking beyond `most`. */
function depthOf(value: unknown, most: number): number {
  if (!isMap(value) || most < 0) return 0;
  let deepest = 0;
  for (const member of Object.values(value)) deepest = Math.max(deepest, depthOf(member, most - 1));
  return 1 + deepest;
}

function addressOf(one: z.infer<typeof resource>, found: z.infer<typeof instance>): string {
  const { index_key: index, deposed } = found;
  const data = one.mode === "data" ? "data." : "";
  const key = index === null || index === undefined ? "" : `[${JSON.stringify(index)}]`;
  const old = deposed ? ` (deposed ${deposed})` : "";
  return `${one.module ? `${one.module}.` : ""}${data}${one.type}.${one.name}${key}${old}`;
}

const step = z.looseObject({ value: z.unknown() });
const indexValue = z.looseObject({ value: z.union([z.string(), z.number()]) });

/** `sensitive_attributes` is a list of paths, each a list of steps. A step that is not understood covers all of it. */
function marksOf(paths: readonly unknown[]): unknown {
  let marks: unknown;
  for (const path of paths) marks = join(marks, markAlong(Array.isArray(path) ? path : [path]));
  return marks;
}

function markAlong([first, ...rest]: readonly unknown[]): unknown {
  if (first === undefined) return true;
  const read = step.safeParse(first);
  const index = indexValue.safeParse(read.data?.value);
  const key = index.success ? index.data.value : read.data?.value;
  if (typeof key !== "string" && typeof key !== "number") return true;
  return { [key]: markAlong(rest) };
}

function namedLikeSecrets(value: unknown): unknown {
  if (value === null || typeof value !== "object") return undefined;
  const entries = Object.entries(value).flatMap(([key, member]) => {
    const mark = !Array.isArray(value) && looksSecret(key) && isText(member) ? true : namedLikeSecrets(member);
    return mark === undefined ? [] : [[key, mark] as const];
  });
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

const WORDS: readonly unknown[] = ["string", "number", "bool", "dynamic"];
const SHAPES: readonly unknown[] = ["object", "tuple", "map", "list", "set"];

/**
 * An attribute without a fixed type is stored as `{value, type}`, while marks are those of the value itself. What only
 * looks like that loses no mark: those of its own `value` then cover all of it.
 */
function unwrapped({ value, marks }: Marked): Marked {
  if (!isMap(value)) return { value, marks };
  if (isDynamic(value)) return unwrapped({ value: value.value, marks: join(marks, memberMark(marks, "value")) });
  const parts = Object.entries(value).map(([key, member]) => {
    return [key, unwrapped({ value: member, marks: memberMark(marks, key) })] as const;
  });
  const values = parts.map(([key, part]) => [key, part.value] as const);
  return {
    value: Array.isArray(value) ? values.map(([, member]) => member) : Object.fromEntries(values),
    marks: marks === true ? true : Object.fromEntries(parts.map(([key, part]) => [key, part.marks])),
  };
}

function isDynamic(value: Record<string, unknown>): boolean {
  if (Object.keys(value).sort().join() !== "type,value") return false;
  const { type } = value;
  return WORDS.includes(type) || (Array.isArray(type) && SHAPES.includes(type[0]));
}

const memberMark = (marks: unknown, key: string): unknown =>
  marks === true ? true : isMap(marks) && Object.hasOwn(marks, key) ? marks[key] : undefined;

/** `secret_name = null` and `password_length = 16` keep nothing. */
const isText = (value: unknown) => value !== null && typeof value !== "number" && typeof value !== "boolean";

/** What either of two marks hides. */
function join(a: unknown, b: unknown): unknown {
  if (a === true || b === true) return true;
  if (!isMap(a)) return isMap(b) ? b : undefined;
  if (!isMap(b)) return a;
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return Object.fromEntries([...keys].map((key) => [key, join(a[key], b[key])]));
}

const isMap = (value: unknown): value is Record<string, unknown> => value !== null && typeof value === "object";

const shownModule = z.looseObject({
  resources: z.array(z.looseObject({ address: z.string(), sensitive_values: z.unknown() })).nullish(),
  child_modules: z.array(z.unknown()).nullish(),
});
const shownState = z.looseObject({ values: z.looseObject({ root_module: z.unknown() }).nullish() });

/** The marks of a stored `terraform show -json`; none when there is none, or it cannot be read. */
export function shownMarks(json: string | null): ShownMarks {
  const marks = new Map<string, unknown>();
  const collect = (found: unknown) => {
    const read = shownModule.safeParse(found);
    if (!read.success) return;
    for (const one of read.data.resources ?? []) marks.set(one.address, wholeLists(one.sensitive_values));
    for (const child of read.data.child_modules ?? []) collect(child);
  };
  try {
    collect(shownState.parse(JSON.parse(json ?? "{}")).values?.root_module);
  } catch {
    // Only an additional source.
  }
  return marks;
}

/** The lists of another version have other members: one marked member hides the list. */
function wholeLists(marks: unknown): unknown {
  if (Array.isArray(marks)) return marks.some((mark) => wholeLists(mark) !== undefined) ? true : undefined;
  if (!isMap(marks)) return marks === true ? true : undefined;
  const entries = Object.entries(marks).flatMap(([key, mark]) => {
    const whole = wholeLists(mark);
    return whole === undefined ? [] : [[key, whole] as const];
  });
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
