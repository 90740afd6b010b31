import { planSecrets } from "../../kit/secrets/plan-secrets.ts";
import { createRedactor } from "../../kit/secrets/redactor.ts";
import type { JobRow } from "../store/statements.ts";
import type { Store } from "../store/store.ts";
import { optionsOf } from "../store/views.ts";

/**
 * Takes the secrets that a job was given out of what its plan shows: a chart may put one into a ConfigMap, a module into
 * an attribute that it does not call sensitive. Only what the submission named as secret, so that the rest stays readable.
 */
export function displayRedactor(store: Store, job: JobRow): (text: string) => string {
  const { sensitive_vars: names } = optionsOf(job);
  const plan = names.length === 0 ? null : store.sql.plan.get(job.id);
  if (plan === null) return (text) => text;
  const redactor = createRedactor();
  redactor.register(...planSecrets(JSON.parse(plan.text), names, () => false));
  return redactor.redactText;
}

/** The same for every text of a document. */
export function redactedDocument<T>(value: T, redact: (text: string) => string): T {
  const walk = (one: unknown): unknown => {
    if (typeof one === "string") return redact(one);
    if (Array.isArray(one)) return one.map(walk);
    if (one === null || typeof one !== "object") return one;
    return Object.fromEntries(Object.entries(one).map(([key, child]) => [key, walk(child)]));
  };
  return walk(value) as T;
}
