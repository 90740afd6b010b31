import type { JobOperation } from "../../protocol/enums.ts";
import { ok, type Result } from "../../protocol/errors.ts";
import type { TerraformSpec } from "../../protocol/job-file.ts";
import type { AppConfig } from "../../protocol/nuon/app-config.ts";
import type { DeployPlan } from "../../protocol/nuon/plans.ts";
import type { Submission } from "../../protocol/operator.ts";
import { deployFrame } from "./deploy-ids.ts";
import { plainEnv } from "./env.ts";
import { usage, wireSource } from "./sources.ts";

/** Everything of a terraform job that is not common to all jobs. */
export interface CompiledTerraform {
  readonly deployId: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly operation: JobOperation;
  readonly plan: DeployPlan;
  readonly appConfig: AppConfig;
  /** Needs something that only our runner knows. */
  readonly native: boolean;
  readonly sources: readonly string[];
}

/** Without a version in the job file: any that is on the runner's PATH. */
const ANY_VERSION = "";

/** DeployPlan and app config of a plan job (nuon-handlers.md 2.4, 9.7); `destroy` plans a teardown. */
export function compileTerraform(
  spec: TerraformSpec,
  submission: Submission,
  context: {
    readonly name: string;
    readonly now: string;
    readonly workspaceId: string;
    readonly operation: "plan" | "apply" | "destroy";
  },
): Result<CompiledTerraform> {
  const found = wireSource(spec.source, "spec.source", submission);
  if (!found.ok) return found;
  const source = found.value;
  const env = plainEnv(spec.env, "spec.env");
  if (!env.ok) return env;
  const hookEnv = plainEnv(spec.hooks?.env, "spec.hooks.env");
  if (!hookEnv.ok) return hookEnv;
  const files = submission.vars_files ?? [];
  const named = spec.vars_files?.length ?? 0;
  if (files.length !== named) {
    return usage(`vars_files: found the contents of ${files.length} files; spec.vars_files names ${named}`);
  }
  const frame = deployFrame(context, {
    source,
    entry: { terraform_module: { version: spec.version ?? ANY_VERSION } },
    block: {
      terraform: {
        ...(spec.tool === "tofu" ? { tool: spec.tool } : {}),
        ...(spec.stack === undefined ? {} : { stack: spec.stack }),
        ...(context.operation === "destroy" ? { destroy: true } : {}),
        vars: spec.vars ?? {},
        env_vars: env.value,
        vars_files: files,
        terraform_backend: { WorkspaceID: context.workspaceId },
        azure_auth: null,
        aws_auth: null,
        hooks: spec.hooks === undefined ? null : { Enabled: true, EnvVars: hookEnv.value, RunAuth: null },
        cluster_info: null,
        policies: null,
        state: null,
        plan_json: null,
      },
    },
  });
  // What a Go runner knows: terraform itself, and one artifact whose top is the module.
  return ok({ ...frame, native: knowsMore(spec) || source.kind === "git" || source.artifact.path !== undefined });
}

/** A Go runner has no tofu, synthesises nothing and runs no hooks of a deploy. */
const knowsMore = (spec: TerraformSpec) => spec.tool === "tofu" || spec.stack !== undefined || spec.hooks !== undefined;
