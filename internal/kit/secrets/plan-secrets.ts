import { looksSecret } from "./names.ts";

/**
 * Values of a plan that nobody may be shown: everything under a name that the job calls sensitive, the value of a pair
 * `{ name, value }` of such a name, and texts under a name that looks secret (`guess`).
 */
export function planSecrets(
  plan: unknown,
  sensitive: readonly string[],
  guess: (name: string) => boolean = looksSecret,
): string[] {
  const found: string[] = [];
  const walk = (value: unknown, name: string, secret: boolean): void => {
    if (value === null || value === undefined || value === "") return;
    if (Array.isArray(value)) {
      for (const item of value) walk(item, name, secret);
      return;
    }
    if (typeof value === "object") {
      const pair = "value" in value && "name" in value && sensitive.some((one) => one === value.name);
      for (const [key, child] of Object.entries(value))
        walk(child, key, secret || sensitive.includes(key) || (pair && key === "value"));
    } else if (secret || (typeof value === "string" && guess(name))) found.push(String(value));
  };
  walk(plan, "", false);
  return found;
}
