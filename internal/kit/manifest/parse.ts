import { type Document, type ParsedNode, parseAllDocuments, type Tags } from "yaml";
import { z } from "zod";
import { fail, ok, type Result, RunnerError, reasonOf } from "../../protocol/errors.ts";
import { scalarTags } from "./yaml-tags.ts";

/** One object as it was written, with the keys that every object needs. */
export interface ManifestObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  /** As written; empty when the object names none. */
  readonly namespace: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Largest manifest, in bytes of UTF-8; a cluster takes objects of about 1.5 MB. */
export const MANIFEST_LIMIT = 16 * 2 ** 20;
const MAX_OBJECTS = 5_000;
/** Repetitions by aliases: kubectl allows about as many; more is a bomb. */
const MAX_ALIASES = 1_000;
const MAX_DEPTH = 100;

const envelope = z.looseObject({
  apiVersion: z.string().min(1),
  kind: z.string().min(1),
  metadata: z.looseObject({ name: z.string().min(1), namespace: z.string().nullish() }),
});
const list = z.looseObject({ kind: z.string().regex(/List$/), items: z.array(z.unknown()) });

/**
 * The objects of a manifest in its own order, read as kubectl reads it: YAML 1.1 (`yes` is a boolean, `0644` is octal),
 * several documents, empty ones skipped, lists taken apart. Stricter in one point: a key written twice is an error.
 * Errors (job) name `place`, document and line, never a value.
 */
export function parseManifest(text: string, place: string): Result<readonly ManifestObject[]> {
  const bytes = Buffer.byteLength(text);
  if (bytes > MANIFEST_LIMIT) return bad(`${place}: ${bytes} bytes; a manifest has at most ${MANIFEST_LIMIT}`);
  const objects: ManifestObject[] = [];
  for (const [index, document] of documentsOf(text).entries()) {
    const where = `${place}, document ${index + 1}`;
    const value = contentOf(document, where);
    if (!value.ok) return value;
    const taken = take(value.value, where, objects, 0);
    if (!taken.ok) return taken;
    if (objects.length > MAX_OBJECTS) return bad(`${place}: more than ${MAX_OBJECTS} objects`);
  }
  return ok(objects);
}

function documentsOf(text: string): Document.Parsed<ParsedNode>[] {
  const customTags = (tags: Tags) => scalarTags(tags);
  const options = { version: "1.1", merge: true, intAsBigInt: true, customTags, logLevel: "silent" } as const;
  const parsed = parseAllDocuments(text.replace(/^\uFEFF/, ""), options);
  return Array.isArray(parsed) ? parsed : [];
}

function contentOf(document: Document.Parsed<ParsedNode>, where: string): Result<unknown> {
  const [error] = document.errors;
  if (error !== undefined) {
    const line = error.linePos?.[0].line;
    return bad(`${where}: not YAML${line === undefined ? "" : ` (line ${line})`}: ${firstLine(error.message)}`);
  }
  try {
    return plain(document.toJS({ maxAliasCount: MAX_ALIASES }), where, 0);
  } catch (error) {
    return bad(`${where}: ${firstLine(reasonOf(error))}`);
  }
}

/** The parser quotes the line from the second line of its message on: it may hold a secret. */
const firstLine = (message: string) => message.split("\n")[0]?.replace(/ at line \d+, column \d+:?.*$/, "") ?? "";

/** As JSON would carry it: numbers that it cannot carry are refused, not altered. */
function plain(value: unknown, where: string, depth: number): Result<unknown> {
  if (depth > MAX_DEPTH) return bad(`${where}: nested deeper than ${MAX_DEPTH} levels, or an alias of itself`);
  if (typeof value === "bigint") {
    const number = Number(value);
    if (Number.isSafeInteger(number)) return ok(number);
    return bad(`${where}: an integer of more than 53 bits cannot be kept exactly; write it as text, in quotes`);
  }
  if (typeof value === "number" && !Number.isFinite(value)) return bad(`${where}: .inf and .nan are no JSON numbers`);
  if (value === null || typeof value !== "object") return ok(value ?? null);
  if (Array.isArray(value)) {
    const items: unknown[] = [];
    for (const one of value) {
      const item = plain(one, where, depth + 1);
      if (!item.ok) return item;
      items.push(item.value);
    }
    return ok(items);
  }
  const entries: [string, unknown][] = [];
  for (const [key, one] of Object.entries(value)) {
    const member = plain(one, where, depth + 1);
    if (!member.ok) return member;
    entries.push([key, member.value]);
  }
  return ok(Object.fromEntries(entries));
}

function take(value: unknown, where: string, into: ManifestObject[], depth: number): Result<void> {
  // A document of nothing but comments.
  if (value === null) return ok(undefined);
  const several = list.safeParse(value);
  if (several.success && depth === 0) {
    for (const [index, item] of several.data.items.entries()) {
      const taken = take(item, `${where}, item ${index + 1}`, into, depth + 1);
      if (!taken.ok) return taken;
    }
    return ok(undefined);
  }
  const parsed = envelope.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return bad(`${where}: ${issue?.path.join(".") || "it"} is missing or has no text: no Kubernetes object`);
  }
  const { apiVersion, kind, metadata } = parsed.data;
  into.push({ apiVersion, kind, name: metadata.name, namespace: metadata.namespace || "", body: parsed.data });
  return ok(undefined);
}

const bad = (why: string): Result<never> =>
  fail(new RunnerError("job", `the manifest cannot be used: ${why}`, { remedy: "Correct the manifest." }));
