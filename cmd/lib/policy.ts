import type { SystemLog } from "../../internal/kit/base/system-log.ts";
import { type WatchedFile, watchFile } from "../../internal/kit/base/watched-file.ts";
import { openPolicy } from "../../internal/kit/policy/index.ts";
import { readTrustedKeys, type TrustedKeys } from "../../internal/kit/signing/index.ts";
import type { JobPolicy } from "../../internal/runner/runner.ts";
import type { Context } from "./context.ts";

/** How soon a mistake in a policy is told when no job comes. */
const LOOK_MS = 15_000;

/** null: work need not be signed. Throws RunnerError usage when the file cannot be used. */
export function trustFor(
  { values }: Pick<Context, "values">,
  { log }: { readonly log: SystemLog },
): WatchedFile<TrustedKeys> | null {
  const { trustKeys: path } = values;
  if (path === null) return null;
  const setting = "--trust-keys (RUNNER_TRUST_KEYS)";
  const file = watchFile({ path, what: "the file of trusted keys", setting, parse: readTrustedKeys, log });
  log.info("only signed work is taken", { file: path, keys: [...file.current().keys()].join(", ") });
  setInterval(() => file.current(), LOOK_MS).unref();
  return file;
}

/** null: every job is worked. Throws RunnerError usage when the file cannot be used. */
export function policyFor(
  { values }: Pick<Context, "values">,
  { apiUrl, log, local }: { readonly apiUrl: string; readonly log: SystemLog; readonly local: boolean },
): JobPolicy | null {
  if (values.policy === null) return null;
  const file = openPolicy(values.policy, log);
  log.info("jobs are held to a policy", { file: values.policy, rules: file.current().rules.length });
  // Local work asks it for every job, and is over soon.
  if (!local) setInterval(() => file.current(), LOOK_MS).unref();
  return { ...file, controlPlane: new URL(apiUrl).host };
}
