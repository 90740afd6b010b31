import { leafTexts, secretEnvValues } from "../secret-values.ts";
import { parseHcl } from "./hcl.ts";
import type { TerraformWork } from "./terraform-work.ts";

/** A var file that parses as a JSON object is one; everything else is tfvars text. */
export function isJsonObject(text: string): boolean {
  return jsonObject(text) !== null;
}

function jsonObject(text: string): object | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

/** Values to hide from logs: of variables with a name in `sensitive`, wherever they are given, and of secret-looking env. */
export function secretVariableValues(work: TerraformWork, sensitive: readonly string[]): string[] {
  const named = [...sensitive, ...sensitive.map((name) => `TF_VAR_${name}`)];
  return [
    ...pick(work.vars, sensitive),
    ...work.varsFiles.flatMap((text) => {
      const object = jsonObject(text);
      return object === null ? tfvarsTexts(text, sensitive) : pick(object, sensitive);
    }),
    ...secretEnvValues(work.env, named),
  ];
}

function pick(values: object, names: readonly string[]): string[] {
  return Object.entries(values).flatMap(([name, value]) => (names.includes(name) ? leafTexts(value) : []));
}

function tfvarsTexts(text: string, names: readonly string[]): string[] {
  const { attributes } = parseHcl(text);
  return names.flatMap((name) =>
    (attributes.get(name) ?? []).filter((token) => token.kind === "text" && token.value !== "").map((t) => t.value),
  );
}
