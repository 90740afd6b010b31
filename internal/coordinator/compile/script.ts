import { ok, type Result } from "../../protocol/errors.ts";
import type { ScriptSpec } from "../../protocol/job-file.ts";
import type { Submission } from "../../protocol/operator.ts";
import type { ScriptPlan } from "../../protocol/plans-ours.ts";
import { plainEnv } from "./env.ts";
import { wireSource } from "./sources.ts";

/** Everything of a script job that is not common to all jobs. Its group is ours, so a Go runner is never offered it. */
export interface CompiledScript {
  readonly plan: ScriptPlan;
  readonly sources: readonly string[];
}

export function compileScript(spec: ScriptSpec, submission: Submission): Result<CompiledScript> {
  const env = plainEnv(spec.env, "spec.env");
  if (!env.ok) return env;
  const plan: ScriptPlan = {
    language: spec.language,
    ...(spec.code === undefined ? { file: spec.file } : { code: spec.code }),
    args: spec.args ?? [],
    ...(spec.stdin === undefined ? {} : { stdin: spec.stdin }),
    env_vars: env.value,
    packages: spec.packages ?? [],
  };
  if (spec.source === undefined) return ok({ plan, sources: [] });
  const found = wireSource(spec.source, "spec.source", submission);
  if (!found.ok) return found;
  const source = found.value;
  if (source.kind === "git") return ok({ plan: { ...plan, git_source: source.git }, sources: [] });
  const sources = source.digest === null ? [] : [source.digest];
  return ok({ plan: { ...plan, source: source.artifact }, sources });
}
