import { RunnerError } from "../../protocol/errors.ts";
import type { HandlerOutputs, JobContext } from "../handler.ts";

/**
 * Outputs as the job file asks for them: a required one that is missing fails the job, a sensitive one is never shown,
 * and neither is one that holds a secret of the job (`secretIn`), whoever calls it what. A plan makes nothing, so
 * nothing is missing after it. Throws RunnerError (job).
 */
export function declaredOutputs(
  ctx: JobContext<unknown>,
  found: HandlerOutputs<object>,
  secretIn: (text: string) => boolean,
): HandlerOutputs<object> {
  const asked = Object.entries(ctx.options.outputs ?? {});
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
  const telling = namesOf(found.values, secretIn);
  return { values: found.values, sensitive: [...new Set([...found.sensitive, ...sensitive, ...telling])] };
}

/** Names at the top, and in the copies that an action keeps per step, whose values hold a secret. */
function namesOf(values: object, secretIn: (text: string) => boolean): string[] {
  return Object.entries(values).flatMap(([name, value]) => {
    if (name === "steps" && typeof value === "object" && value !== null)
      return Object.values(value).flatMap((step) =>
        typeof step === "object" && step !== null ? namesOf(step, secretIn) : [],
      );
    return textsIn(value).some(secretIn) ? [name] : [];
  });
}

function textsIn(value: unknown): string[] {
  if (typeof value === "string" || typeof value === "number") return [String(value)];
  if (value === null || typeof value !== "object") return [];
  return Object.values(value).flatMap(textsIn);
}
