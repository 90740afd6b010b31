import type { SystemLog } from "../../internal/kit/base/system-log.ts";
import { openPolicy } from "../../internal/kit/policy/index.ts";
import type { JobPolicy } from "../../internal/runner/runner.ts";
import type { Context } from "./context.ts";

/** How soon a mistake in a policy is told when no job comes. */
const LOOK_MS = 15_000;

/** null: every job is worked. Throws RunnerError usage when the file cannot be used. */
export function policyFor(
  { values }: Pick<Context, "values">,
  { apiUrl, log }: { readonly apiUrl: string; readonly log: SystemLog },
): JobPolicy | null {
  if (values.policy === null) return null;
  const file = openPolicy(values.policy, log);
  log.info("jobs are held to a policy", { file: values.policy, rules: file.current().rules.length });
  setInterval(() => file.current(), LOOK_MS).unref();
  return { ...file, controlPlane: new URL(apiUrl).host };
}
