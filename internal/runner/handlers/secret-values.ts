import { looksSecretVariable } from "../../kit/secrets/names.ts";

/** Values of `env` to hide from logs: those with a name in `named`, and those whose name looks secret. */
export function secretEnvValues(
  env: Readonly<Record<string, string | null>> | null | undefined,
  named: readonly string[],
): string[] {
  const entries = Object.entries(env ?? {});
  return entries.flatMap(([name, value]) =>
    value && (named.includes(name) || looksSecretVariable(name)) ? [value] : [],
  );
}

/** Every text and number inside a value, as it would be printed. */
export function leafTexts(value: unknown): string[] {
  if (typeof value === "string") return value === "" ? [] : [value];
  if (typeof value === "number") return [String(value)];
  if (value === null || typeof value !== "object") return [];
  return Object.values(value).flatMap(leafTexts);
}
