import { looksSecret } from "../../kit/secrets/names.ts";

/**
 * Values of a plan that are registered for redaction before anything is logged: texts under a secret-looking name, and
 * everything under a name that the job calls sensitive.
 */
export function planSecrets(plan: unknown, sensitive: readonly string[]): string[] {
  const found: string[] = [];
  const walk = (value: unknown, name: string, secret: boolean): void => {
    if (value === null || value === undefined || value === "") return;
    if (Array.isArray(value)) {
      for (const item of value) walk(item, name, secret);
      return;
    }
    if (typeof value === "object") {
      for (const [key, child] of Object.entries(value)) walk(child, key, secret || sensitive.includes(key));
    } else if (secret || (typeof value === "string" && looksSecret(name))) found.push(String(value));
  };
  walk(plan, "", false);
  return found;
}
