import { type OperationName, operationOf } from "../operations.ts";
import { serverExchanges } from "../recordings.ts";

/** What the answers of the real server say of an operation: which field comes before which, and which never is absent. */
export interface Shape {
  /** Problems of a document of ours: fields in another order, fields that never are absent there. */
  problemsOf(value: unknown): string[];
}

interface Seen {
  /** Keys that a key was seen in front of. */
  readonly before: Map<string, Set<string>>;
  /** null: nothing seen yet. */
  always: Set<string> | null;
}

/** `absent`: fields that ours leaves out on purpose. */
export function shapeOf(answers: readonly unknown[], absent: ReadonlySet<string>): Shape {
  const byPath = new Map<string, Seen>();
  const learn = (value: unknown, path: string): void => {
    for (const [object, at] of objectsOf(value, path)) {
      const seen = byPath.get(at) ?? { before: new Map(), always: null };
      byPath.set(at, seen);
      const keys = Object.keys(object);
      keys.forEach((key, n) => {
        const after = seen.before.get(key) ?? new Set();
        for (const later of keys.slice(n + 1)) after.add(later);
        seen.before.set(key, after);
      });
      seen.always = new Set(seen.always === null ? keys : [...seen.always].filter((key) => keys.includes(key)));
    }
  };
  for (const answer of answers) learn(answer, "");
  return {
    problemsOf: (value) =>
      objectsOf(value, "").flatMap(([object, at]) => {
        const seen = byPath.get(at);
        if (seen === undefined) return [];
        const keys = Object.keys(object);
        const swapped = keys.flatMap((key, n) =>
          keys
            .slice(n + 1)
            .filter((later) => seen.before.get(later)?.has(key) && !seen.before.get(key)?.has(later))
            .map((later) => `${at}.${later} comes before ${key} there`),
        );
        const missing = [...(seen.always ?? [])].filter((key) => !keys.includes(key) && !absent.has(key));
        return [...swapped, ...missing.map((key) => `${at}.${key} is always there`)];
      }),
  };
}

/** Objects whose keys an API fixes: free-form ones (outputs, metadata, plans) have none. */
const FREE = new Set(["outputs", "metadata", "run_env_vars", "env_vars", "labels", "attrs", "variables", "values"]);

/** Every object in a value with its path; items of a list share one. */
function objectsOf(value: unknown, path: string): (readonly [Readonly<Record<string, unknown>>, string])[] {
  if (value === null || typeof value !== "object") return [];
  if (Array.isArray(value)) return value.flatMap((item) => objectsOf(item, `${path}[]`));
  const object = value as Readonly<Record<string, unknown>>;
  const inner = Object.entries(object).filter(([key]) => !FREE.has(key));
  return [[object, path] as const, ...inner.flatMap(([key, one]) => objectsOf(one, `${path}.${key}`))];
}

/** Fields that ours never has: orgs (a listed deviation), what depends on the moment, and the set-up of the recorded server. */
const ABSENT = new Set(["org_id", "owner_id", "owner_type", "metadata", "status_description"]);

/** What the real control plane's own answers teach, by operation. */
export async function serverShapes(): Promise<Map<OperationName, Shape>> {
  const good = (await serverExchanges()).filter((one) => one.status < 300 && typeof one.response === "object");
  const byOperation = Map.groupBy(good, (one) => operationOf(one.method, one.path));
  return new Map(
    [...byOperation].flatMap(([name, exchanges]) =>
      name === undefined
        ? []
        : [
            [
              name,
              shapeOf(
                exchanges.map((one) => one.response),
                ABSENT,
              ),
            ] as const,
          ],
    ),
  );
}
