import { z } from "zod";

/**
 * Helpers for baseline documents: unknown keys are kept (the server may be newer than these notes), absent zero
 * fields are normal, explicit nulls are what Go sends for empty pointers, lists and maps.
 */
export const str = z.string().nullish();
export const int = z.number().int().nullish();
export const bool = z.boolean().nullish();
/** Integer nanoseconds. Go's longest duration, 2^63 - 1, is read too (rounded); timestamps never travel this way. */
export const ns = z.number().refine(Number.isInteger, "expected whole nanoseconds").nullish();
/** RFC 3339 with nanoseconds, kept as text. */
export const time = z.string().nullish();
export const stringMap = z.record(z.string(), z.string().nullable()).nullish();
export const anyObject = z.record(z.string(), z.unknown());

export const NS_PER_MS = 1_000_000;
export const nsToMs = (value: number | null | undefined): number => Math.floor((value ?? 0) / NS_PER_MS);
export const msToNs = (value: number): number => Math.round(value) * NS_PER_MS;

/** One of the known words, or another text: a newer server may send more of them. */
export const wordOf = (known: readonly string[]) => z.union([z.enum(known), z.string()]);
export const word = (known: readonly string[]) => wordOf(known).nullish();

/** A document that is described further down, or holds this one in turn. Nobody here reads into it, so it has no type. */
export const later = (schema: () => z.core.SomeType) => z.lazy(schema).nullish();
export const laterList = (schema: () => z.core.SomeType) => z.array(z.lazy(schema)).nullish();

/** Fields nearly every stored row carries. */
export const rowFields = { id: z.string(), created_by_id: str, created_at: time, updated_at: time, org_id: str };

/** The same for rows inside another document: a server that makes the document up may leave their ids out. */
export const partFields = { ...rowFields, id: str };

/** Error body of the baseline (nuon-runner-api.md 1.6). */
export const errorBody = z.looseObject({ error: str, user_error: bool, description: str });

/**
 * An object whose keys are read case-insensitively, as Go does: plan documents mix `RegistryType`, `registryType`
 * and `registry_type`-less forms (nuon-handlers.md section 2). Keys of the shape win over what came.
 */
export function foldedObject<S extends z.ZodRawShape>(shape: S) {
  const byFolded = new Map(Object.keys(shape).map((key) => [key.toLowerCase(), key]));
  const fold = (value: unknown): unknown => {
    if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, v]) => [byFolded.get(key.toLowerCase()) ?? key, v]));
  };
  return z.preprocess(fold, z.looseObject(shape));
}
