import { type IResolvable, Token } from "cdktn";

/**
 * Terraform expressions, where the typed helpers of CDK Terrain have no word for one. `is` is a condition, `text`,
 * `number` and `list` say what comes out of it.
 */
export const text = (expression: string): string => `\${${expression}}`;
export const number = (expression: string): number => Token.asNumber(text(expression));
export const list = (expression: string): string[] => Token.asList(text(expression));
export const is = (expression: string): IResolvable => Token.asAny(text(expression)) as IResolvable;

/** `count` of a resource that exists only when the condition holds. */
export const when = (condition: string): number => number(`${condition} ? 1 : 0`);

/** A part of a JSON document that Terraform works out. */
export class Raw {
  constructor(readonly expression: string) {}
}
export const raw = (expression: string): Raw => new Raw(expression);
type Part = string | number | boolean | Raw | readonly Part[] | { readonly [key: string]: Part };

/** A JSON document as a text: `jsonencode(…)`. In its strings `${…}` stays what it is to Terraform. */
export const json = (document: Part): string => text(`jsonencode(${written(document)})`);

function written(part: Part): string {
  if (part instanceof Raw) return part.expression;
  if (Array.isArray(part)) return `[${part.map(written).join(", ")}]`;
  if (typeof part !== "object") return JSON.stringify(part);
  const fields = Object.entries(part).map(([key, value]) => `${JSON.stringify(key)} = ${written(value)}`);
  return `{ ${fields.join(", ")} }`;
}

/** A policy document as IAM wants it. */
export const policy = (...statements: readonly { readonly [key: string]: Part }[]): string =>
  json({ Version: "2012-10-17", Statement: statements });
