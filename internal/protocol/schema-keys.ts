import { z } from "zod";

/** Keys that `schema` takes at `path`; of a union those of all its alternatives. Empty when any key is allowed. */
export function allowedKeys(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let reached = alternatives(schema);
  for (const key of path) reached = reached.flatMap((one) => child(one, key)).flatMap(alternatives);
  return [...new Set(reached.flatMap((one) => (one instanceof z.ZodObject ? Object.keys(one.shape) : [])))];
}

/** What lies behind optional, default, preprocess, transform and union wrappers. */
function alternatives(schema: unknown): z.ZodType[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault) {
    return alternatives(schema.unwrap());
  }
  if (schema instanceof z.ZodPipe) {
    return schema.in instanceof z.ZodTransform ? alternatives(schema.out) : alternatives(schema.in);
  }
  if (schema instanceof z.ZodUnion) return schema.options.flatMap(alternatives);
  return schema instanceof z.ZodType ? [schema] : [];
}

function child(schema: z.ZodType, key: PropertyKey): unknown[] {
  if (schema instanceof z.ZodObject) return [schema.shape[String(key)]];
  if (schema instanceof z.ZodArray) return [schema.element];
  if (schema instanceof z.ZodRecord) return [schema.valueType];
  return [];
}
