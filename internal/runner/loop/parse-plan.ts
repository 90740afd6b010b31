import { RunnerError } from "../../protocol/errors.ts";
import type { Handler } from "../handler.ts";

/** 64 MiB: a sandbox plan of the real server is up to 2.8 MB (nuon-runner-api.md 2.6). */
export const MAX_PLAN_BYTES = 64 * 1024 * 1024;

/** Text of GET plan → the handler's plan. The text is quoted nowhere: it may hold credentials. */
export function parsePlan(handler: Handler, jobType: string, text: string | null): unknown {
  if (handler.plan === null) return null;
  if (text === null || text.trim() === "") {
    throw new RunnerError("protocol", `the ${jobType} job has no plan`, { remedy: "submit the job again" });
  }
  if (text.length > MAX_PLAN_BYTES) {
    throw new RunnerError("protocol", `the plan is ${text.length} bytes, more than the limit of ${MAX_PLAN_BYTES}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new RunnerError("protocol", `the plan is not valid JSON (${text.length} bytes; it may have been cut off)`, {
      remedy: "submit the job again; if it stays so, the control plane stores broken plans",
    });
  }
  const parsed = handler.plan.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const place = issue && issue.path.length > 0 ? issue.path.join(".") : "the document";
  throw new RunnerError("protocol", `the plan does not fit a ${jobType} job: ${place}: ${issue?.message ?? "invalid"}`);
}

/** Names that mark a value as secret wherever it stands in a plan. */
const SECRET_NAME = /token|secret|passw|credential|private_?key|api_?key|access_?key|session_?key/i;

/**
 * Values of a plan that are registered for redaction before anything is logged: texts under a secret-looking name, and
 * everything under a name that the job calls sensitive.
 */
export function planSecrets(plan: unknown, sensitive: readonly string[]): string[] {
  const found: string[] = [];
  const walk = (value: unknown, name: string, secret: boolean): void => {
    if (value === null || value === undefined || value === "") return;
    if (Array.isArray(value)) return value.forEach((item) => void walk(item, name, secret));
    if (typeof value === "object") {
      for (const [key, child] of Object.entries(value)) walk(child, key, secret || sensitive.includes(key));
    } else if (secret || (typeof value === "string" && SECRET_NAME.test(name))) found.push(String(value));
  };
  walk(plan, "", false);
  return found;
}
