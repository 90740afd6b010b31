import type { z } from "zod";
import { RunnerError } from "../protocol/errors.ts";

/** Most of a plan document that is read. The largest part is a saved plan; 64 MiB of text is far beyond real ones. */
export const PLAN_LIMIT_CHARS = 64 * 1024 * 1024;

/**
 * The plan of a job from the text the control plane sent. Throws RunnerError (protocol) that names the place and never
 * shows the text: plans hold secrets.
 */
export function parsePlan<Plan>(schema: z.ZodType<Plan>, text: string): Plan {
  if (text.length > PLAN_LIMIT_CHARS) throw unreadablePlan(`it is larger than ${PLAN_LIMIT_CHARS} characters`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw unreadablePlan(`it is not one complete JSON document (${text.length} characters)`);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const place = issue?.path.length ? issue.path.map(String).join(".").slice(0, 200) : "its top level";
  throw unreadablePlan(
    `${place}: ${issue?.code === "invalid_type" ? `expected ${issue.expected}` : "not an allowed value"}`,
  );
}

/** One reason for every plan that is no plan, wherever that is noticed. */
export const unreadablePlan = (what: string) =>
  new RunnerError("protocol", `the plan cannot be read: ${what}`, {
    remedy: "Check what made this job: a job file's `plan:`, or the version of the control plane.",
  });
