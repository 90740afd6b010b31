import { z } from "zod";
import type { DocSchema } from "./recordings.ts";

/** What a comparison found: `problems` in words, and which schemas of the document it came through. */
export interface Comparison {
  readonly problems: string[];
  readonly reached: Set<string>;
  /** Keys of ours that the document does not know, as `schema.key`. */
  readonly added: Set<string>;
  /** Words of ours beyond an enum of the document, as `enum.word`. */
  readonly words: Set<string>;
}

/** Fields every row may carry, also where the document leaves them out. */
const ROW_KEYS = new Set(["id", "created_by_id", "created_at", "updated_at", "org_id"]);

/**
 * Compares a schema of the document with ours, all the way down: every property must be a key of ours with a fitting
 * kind, every enum a list of the same words. Passthrough, records and unknown do not count where the document has names.
 */
export function createComparison(schemas: Readonly<Record<string, DocSchema>>) {
  const found: Comparison = { problems: [], reached: new Set(), added: new Set(), words: new Set() };
  const done = new Map<string, Set<unknown>>();

  function compare(doc: DocSchema, ours: unknown, at: string, name = ""): void {
    const inner = soleAlternative(doc) ?? doc.contentSchema;
    const candidates = alternatives(ours);
    if (inner) compare(inner, ours, at, name);
    else if (doc.$ref !== undefined) compareNamed(doc.$ref.split("/").at(-1) ?? "", ours, at);
    else if (doc.enum) compareWords(doc.enum, candidates, at, name);
    else if (doc.properties) compareProperties(doc.properties, candidates, at, name);
    else compareKind(doc, candidates, at);
  }

  function compareKind(doc: DocSchema, candidates: readonly z.ZodType[], at: string): void {
    const types = ([] as (string | undefined)[]).concat(doc.type ?? []);
    if (types.includes("null") && candidates.some((one) => one instanceof z.ZodNull)) return;
    const kind = KINDS.find(([type]) => types.includes(type));
    if (types.includes("array")) compareList(doc, candidates, at);
    else if (types.includes("object")) compareMap(doc, candidates, at);
    else if (kind && !candidates.some(kind[1])) problem(at, `is of type ${kind[0]} in the document`);
  }

  function compareList(doc: DocSchema, candidates: readonly z.ZodType[], at: string): void {
    const list = candidates.find((one) => one instanceof z.ZodArray);
    if (!list) problem(at, "is a list in the document");
    else if (doc.items) compare(doc.items, list.element, `${at}[]`);
  }

  function compareNamed(name: string, ours: unknown, at: string): void {
    found.reached.add(name);
    const schema = schemas[name];
    const core = alternatives(ours)[0] ?? ours;
    const known = done.get(name) ?? new Set();
    if (!schema || known.has(core)) return;
    done.set(name, known.add(core));
    compare(schema, ours, at, name);
  }

  function compareProperties(
    properties: Readonly<Record<string, DocSchema>>,
    candidates: readonly z.ZodType[],
    at: string,
    name: string,
  ): void {
    const object = candidates.find((one) => one instanceof z.ZodObject);
    if (!object) {
      problem(at, `has named fields in the document${name === "" ? "" : ` (${name})`}`);
      return;
    }
    const shape: Readonly<Record<string, unknown>> = object.shape;
    for (const [key, property] of Object.entries(properties)) {
      if (key in shape) compare(property, shape[key], `${at}.${key}`);
      else problem(`${at}.${key}`, "has no named key");
    }
    for (const key of Object.keys(shape)) {
      if (!(key in properties) && !ROW_KEYS.has(key)) found.added.add(`${name === "" ? at : name}.${key}`);
    }
  }

  function compareMap(doc: DocSchema, candidates: readonly z.ZodType[], at: string): void {
    const record = candidates.find((one) => one instanceof z.ZodRecord);
    if (!record && !candidates.some((one) => one instanceof z.ZodObject)) problem(at, "is an object in the document");
    const values = doc.additionalProperties;
    if (record && typeof values === "object") compare(values, record.valueType, `${at}.*`);
  }

  function compareWords(words: readonly unknown[], candidates: readonly z.ZodType[], at: string, name: string): void {
    const known = candidates.find((one) => one instanceof z.ZodEnum);
    if (!known) {
      problem(at, `has an enum in the document (${name})`);
      return;
    }
    const ours: readonly unknown[] = known.options;
    for (const word of words)
      if (!ours.includes(word)) problem(at, `lacks the word ${JSON.stringify(word)} of ${name}`);
    for (const word of ours) if (!words.includes(word)) found.words.add(`${name}.${String(word)}`);
  }

  function problem(at: string, what: string): void {
    found.problems.push(`${at} ${what}`);
  }
  return { compare, found };
}

const KINDS: readonly (readonly [string, (schema: z.ZodType) => boolean])[] = [
  ["string", (s) => s instanceof z.ZodString || s instanceof z.ZodEnum || s instanceof z.ZodLiteral],
  ["integer", (s) => s instanceof z.ZodNumber],
  ["number", (s) => s instanceof z.ZodNumber],
  ["boolean", (s) => s instanceof z.ZodBoolean],
];

/** Of `allOf` with one entry, and of `anyOf` or `oneOf` whose other entries are null or the empty object, that entry. */
function soleAlternative(doc: DocSchema): DocSchema | undefined {
  if (doc.allOf?.length === 1) return doc.allOf[0];
  const telling = (doc.anyOf ?? doc.oneOf ?? []).filter((one) => one.type !== "null" && !isEmptyObject(one));
  return telling.length === 1 ? telling[0] : undefined;
}

const isEmptyObject = (doc: DocSchema) => doc.type === "object" && doc.properties === undefined;

/** What lies behind optional, nullable, lazy, preprocess and union wrappers. */
function alternatives(schema: unknown): z.ZodType[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodLazy) {
    return alternatives(schema.unwrap());
  }
  if (schema instanceof z.ZodPipe) return alternatives(schema.in instanceof z.ZodTransform ? schema.out : schema.in);
  if (schema instanceof z.ZodUnion) return schema.options.flatMap(alternatives);
  return schema instanceof z.ZodType ? [schema] : [];
}
