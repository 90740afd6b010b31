import { z } from "zod";

/**
 * Paths of `value` that `schema` takes only because it lets unknown keys pass. Free-form maps (outputs, variables,
 * metadata) name no keys by nature and are not searched.
 */
export function unnamedKeys(schema: unknown, value: unknown, path = ""): string[] {
  if (value === null || typeof value !== "object") return [];
  const inner = unwrap(schema);
  if (inner instanceof z.ZodUnion) {
    const fitting = inner.options.find((option) => z.safeParse(option, value).success);
    return fitting === undefined ? [`${path} (no alternative fits)`] : unnamedKeys(fitting, value, path);
  }
  if (Array.isArray(value)) {
    return inner instanceof z.ZodArray
      ? value.flatMap((one, n) => unnamedKeys(inner.element, one, `${path}[${n}]`))
      : [];
  }
  if (inner instanceof z.ZodRecord) {
    return Object.entries(value).flatMap(([key, one]) => unnamedKeys(inner.valueType, one, `${path}.${key}`));
  }
  if (!(inner instanceof z.ZodObject)) return [];
  const shape: Record<string, unknown> = inner.shape;
  return Object.entries(value).flatMap(([key, one]) =>
    key in shape ? unnamedKeys(shape[key], one, `${path}.${key}`) : [`${path}.${key}`],
  );
}

function unwrap(schema: unknown): unknown {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault) {
    return unwrap(schema.unwrap());
  }
  if (schema instanceof z.ZodLazy) return unwrap(schema.unwrap());
  if (schema instanceof z.ZodPipe) return unwrap(schema.in instanceof z.ZodTransform ? schema.out : schema.in);
  return schema;
}
