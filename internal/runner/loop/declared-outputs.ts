import { RunnerError } from "../../protocol/errors.ts";
import type { HandlerOutputs, JobContext } from "../handler.ts";

/**
 * Outputs as the job file asks for them: a required one that is missing fails the job, a sensitive one is never shown.
 * A plan makes nothing, so nothing is missing after it. Throws RunnerError (job).
 */
export function declaredOutputs(ctx: JobContext<unknown>, found: HandlerOutputs<object>): HandlerOutputs<object> {
  const asked = Object.entries(ctx.options.outputs ?? {});
  if (asked.length === 0) return found;
  const values = new Map(Object.entries(found.values));
  const sensitive = asked.filter(([, wish]) => wish.sensitive).map(([name]) => name);
  for (const name of sensitive) ctx.secrets.register(...textsIn(values.get(name)));
  const missing = asked.filter(([name, wish]) => wish.required && (values.get(name) ?? null) === null);
  if (missing.length > 0 && !ctx.job.operation.startsWith("create-")) {
    const names = missing.map(([name]) => JSON.stringify(name)).join(", ");
    const there = [...values.keys()].filter((name) => name !== "steps").join(", ") || "none";
    throw new RunnerError("job", `missing_output: the job file requires ${names}; the work's outputs are: ${there}`, {
      remedy: "the work itself succeeded; write the output, or do not require it",
    });
  }
  return { values: found.values, sensitive: [...new Set([...found.sensitive, ...sensitive])] };
}

function textsIn(value: unknown): string[] {
  if (typeof value === "string" || typeof value === "number") return [String(value)];
  if (value === null || typeof value !== "object") return [];
  return Object.values(value).flatMap(textsIn);
}
