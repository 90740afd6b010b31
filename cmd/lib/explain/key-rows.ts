import { z } from "zod";

/** One key of a document: where it stands, what it takes, what it means. */
export interface KeyRow {
  /** `spec.steps[].name`. */
  readonly path: string;
  readonly required: boolean;
  /** `text`, `plan | apply | destroy`, `list`, … */
  readonly takes: string;
  readonly meaning: string;
}

/** JSON Schema of one value, as far as ours go; anything else in it is ignored. */
const node = z.looseObject({
  /** A choice of plain types may stand in one list. */
  type: z.union([z.string(), z.array(z.string())]).optional(),
  description: z.string().optional(),
  /** A form that is told by its title alone, without keys of its own. */
  title: z.string().optional(),
  enum: z.array(z.unknown()).optional(),
  const: z.unknown().optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
  required: z.array(z.string()).optional(),
  items: z.unknown().optional(),
  additionalProperties: z.unknown().optional(),
  anyOf: z.array(z.unknown()).optional(),
});
type Node = z.infer<typeof node>;

/** Every key of a JSON Schema, parents before children, in the order of the schema. */
export function keyRows(schema: unknown, prefix = "", chosen = false): KeyRow[] {
  const { properties = {}, required: listed = [] } = node.parse(schema);
  // A key of one alternative is needed only when that alternative is chosen.
  const required = chosen ? [] : listed;
  return Object.entries(properties).flatMap(([key, inner]) => {
    const path = `${prefix}${key}`;
    const found = node.parse(inner);
    const row = { path, required: required.includes(key), takes: takesOf(found), meaning: found.description ?? "" };
    return [row, ...inside(found, path)];
  });
}

/** Keys below a map, a list of maps, or the alternatives of a choice. */
function inside(found: Node, path: string, chosen = false): KeyRow[] {
  if (found.title !== undefined) return [];
  if (found.properties) return keyRows(found, `${path}.`, chosen);
  if (found.type === "array") return inside(node.parse(found.items ?? {}), `${path}[]`);
  return (found.anyOf ?? []).flatMap((one) => inside(node.parse(one), path, true));
}

const WORDS: Readonly<Record<string, string>> = {
  string: "text",
  number: "number",
  integer: "whole number",
  boolean: "true or false",
  null: "nothing",
};

function takesOf(found: Node): string {
  if (found.title !== undefined) return found.title;
  if (found.enum) return found.enum.map(String).join(" | ");
  if (found.const !== undefined) return String(found.const);
  if (found.anyOf) return [...new Set(found.anyOf.map((one) => takesOf(node.parse(one))))].join(" or ");
  if (found.type === "array") return `list of ${takesOf(node.parse(found.items ?? {}))}`;
  if (found.type === "object") return found.properties ? braces(found) : "map";
  if (found.type === undefined) return "any value";
  return [found.type]
    .flat()
    .map((word) => WORDS[word] ?? word)
    .join(" or ");
}

const braces = (found: Node) => `{ ${Object.keys(found.properties ?? {}).join(", ")} }`;
