import { z } from "zod";
import type { Random } from "./seeded.ts";

/** The part of JSON Schema that our documents use. */
export interface Schema {
  readonly $ref?: string | undefined;
  readonly type?: string | readonly string[] | undefined;
  readonly enum?: readonly unknown[] | undefined;
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, Schema>> | undefined;
  readonly required?: readonly string[] | undefined;
  readonly additionalProperties?: Schema | boolean | undefined;
  readonly items?: Schema | undefined;
  readonly anyOf?: readonly Schema[] | undefined;
  readonly oneOf?: readonly Schema[] | undefined;
  readonly allOf?: readonly Schema[] | undefined;
  readonly pattern?: string | undefined;
  readonly minimum?: number | undefined;
  readonly maximum?: number | undefined;
}
export const schemaShape: z.ZodType<Schema> = z.looseObject({}) as z.ZodType<Schema>;

const MIB = 1024 * 1024;

export const HOSTILE_TEXTS: readonly string[] = [
  "",
  " ",
  "\0",
  "a\0b",
  "\ud800",
  "\udc00\ud800x",
  "\ufeff",
  "\u202e\u2028",
  "🦄".repeat(40),
  "../../../../etc/passwd",
  "..\\..\\x",
  "/etc/passwd",
  "%2e%2e%2f%00",
  "%",
  "%zz",
  "\r\nx-injected: 1",
  "__proto__",
  "constructor",
  "hasOwnProperty",
  "'; DROP TABLE jobs; --",
  '" OR 1=1',
  "*",
  "%_%",
  "$(reboot)`reboot`",
  "--upload-pack=x",
  "NaN",
  "null",
  "-1",
  "1e309",
  "9007199254740993",
  "0x10",
  "١٢",
  `sha256:${"f".repeat(64)}`,
  "9999-99-99T99:99:99Z",
  "x".repeat(300),
  "y".repeat(70_000),
  "z".repeat(MIB),
];

const HOSTILE_NUMBERS: readonly number[] = [
  -1,
  -0,
  0,
  0.5,
  1e-320,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  -(2 ** 53),
  2 ** 63,
  1e21,
  1e308,
  -1e308,
  Number.MAX_SAFE_INTEGER,
];

/** Any JSON value that no schema of ours hopes for. */
export function hostileValue(random: Random, depth = 0): unknown {
  switch (random.int(depth > 2 ? 4 : 8)) {
    case 0:
      return random.pick(HOSTILE_NUMBERS);
    case 1:
      return null;
    case 2:
      return random.int(2) === 0;
    case 3:
      return random.pick(HOSTILE_TEXTS);
    case 4:
      return [];
    case 5:
      return Array.from({ length: 1 + random.int(4) }, () => hostileValue(random, depth + 1));
    case 6:
      return Object.fromEntries([[random.pick(HOSTILE_TEXTS.slice(0, 30)), hostileValue(random, depth + 1)]]);
    default:
      return nested(200);
  }
}

/** `{"a":{"a":…}}`, so many levels. */
function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let at = 0; at < levels; at++) value = { a: value };
  return value;
}

export interface Maker {
  readonly random: Random;
  /** What `$ref` names. */
  readonly refs: Readonly<Record<string, Schema>>;
  /** Words that exist: ids, names, digests; `name` is the parameter or property they are for. */
  readonly words: (name: string) => string;
  /** 0: only what the schema allows; else one value in so many is hostile. */
  readonly spite: number;
}

/** A value of the schema, with some spite. Property names may be answered by `words` too. */
export function makeValue(maker: Maker, schema: Schema, depth = 0, name = ""): unknown {
  const { random, spite } = maker;
  if (spite > 0 && random.int(spite) === 0) return hostileValue(random);
  if (schema.$ref !== undefined) {
    const target = maker.refs[schema.$ref.split("/").at(-1) ?? ""];
    return target === undefined ? hostileValue(random) : makeValue(maker, target, depth, name);
  }
  if (schema.const !== undefined) return schema.const;
  if (schema.enum !== undefined && schema.enum.length > 0) return random.pick(schema.enum);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined && choices.length > 0) return makeValue(maker, random.pick(choices), depth, name);
  const [first] = schema.allOf ?? [];
  if (first !== undefined) return makeValue(maker, first, depth, name);
  const type = typeof schema.type === "string" || schema.type === undefined ? schema.type : random.pick(schema.type);
  switch (type) {
    case "object":
      return objectOf(maker, schema, depth);
    case "array":
      return Array.from({ length: depth > 4 ? 0 : random.int(4) }, () =>
        makeValue(maker, schema.items ?? {}, depth + 1, name),
      );
    case "integer":
    case "number":
      // A claim may be held for half a minute: that is no silence, but no time for it either.
      return name === "wait_ms" ? random.int(40) : numberOf(random, schema);
    case "boolean":
      return random.int(2) === 0;
    case "null":
      return null;
    case "string":
      return textOf(maker, schema, name);
    default:
      return depth > 3 ? null : hostileValue(random);
  }
}

function objectOf(maker: Maker, schema: Schema, depth: number): unknown {
  const { random } = maker;
  const value: Record<string, unknown> = {};
  for (const [name, inner] of Object.entries(schema.properties ?? {})) {
    const needed = schema.required?.includes(name) === true;
    if (needed ? maker.spite > 0 && random.int(40) === 0 : depth > 4 || random.int(3) === 0) continue;
    value[name] = makeValue(maker, inner, depth + 1, name);
  }
  if (typeof schema.additionalProperties === "object") {
    for (let at = random.int(3); at > 0; at--) {
      value[maker.words("")] = makeValue(maker, schema.additionalProperties, depth + 1);
    }
  }
  if (maker.spite > 0 && random.int(20) === 0) value[random.pick(["surprise", "toString", ""])] = hostileValue(random);
  return value;
}

function numberOf(random: Random, { minimum = 0, maximum = 1_000_000 }: Schema): number {
  const low = Math.max(minimum, -1_000);
  return low + random.int(Math.max(1, Math.min(maximum, 1_000_000) - low + 1));
}

/** Patterns of our documents are simple; what does not fit is one more hostile value. */
function textOf({ random, words }: Maker, { pattern }: Schema, name: string): string {
  if (pattern?.includes("\\d") === true) return String(random.int(100));
  return words(name);
}

/** The same document with one place of it, anywhere, replaced, added or taken away. */
export function bend(random: Random, value: unknown): unknown {
  if (value === null || typeof value !== "object" || random.int(4) === 0) return hostileValue(random);
  if (Array.isArray(value)) {
    if (value.length === 0) return [hostileValue(random)];
    const at = random.int(value.length);
    return value.map((item, index) => (index === at ? bend(random, item) : item));
  }
  const entries = Object.entries(value);
  if (entries.length === 0 || random.int(6) === 0) {
    return { ...value, [random.pick(HOSTILE_TEXTS.slice(0, 30))]: hostileValue(random) };
  }
  const [name, inner] = random.pick(entries);
  if (random.int(8) === 0) return Object.fromEntries(entries.filter(([key]) => key !== name));
  return { ...value, [name]: bend(random, inner) };
}
