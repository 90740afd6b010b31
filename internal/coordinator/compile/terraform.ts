import type { JobOperation } from "../../protocol/enums.ts";
import { ok, type Result } from "../../protocol/errors.ts";
import { newId } from "../../protocol/ids.ts";
import type { TerraformSpec } from "../../protocol/job-file.ts";
import type { AppConfig } from "../../protocol/nuon/app-config.ts";
import type { DeployPlan } from "../../protocol/nuon/plans.ts";
import type { Submission } from "../../protocol/operator.ts";
import { plainEnv } from "./env.ts";
import { usage, type WireSource, wireSource } from "./sources.ts";

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
  const ids = {
    install: newId("install"),
    app: newId("app"),
    appConfig: newId("appConfig"),
    component: newId("component"),
    deploy: newId("deploy"),
  };
  const operation = context.operation === "destroy" ? "create-teardown-plan" : "create-apply-plan";
  return ok({
    deployId: ids.deploy,
    operation,
    metadata: {
      install_id: ids.install,
      deploy_id: ids.deploy,
      install_component_id: ids.component,
      component_id: ids.component,
      component_name: context.name,
      operation,
    },
    plan: {
      install_id: ids.install,
      app_id: ids.app,
      app_config_id: ids.appConfig,
      component_id: ids.component,
      component_name: context.name,
      ...planSource(source),
      apply_plan_contents: "",
      apply_plan_display: "",
      helm: null,
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
      kubernetes_manifest: null,
      noop: null,
    },
    appConfig: {
      id: ids.appConfig,
      created_at: context.now,
      updated_at: context.now,
      app_id: ids.app,
      status: "active",
      component_config_connections: [
        { component_id: ids.component, terraform_module: { version: spec.version ?? ANY_VERSION } },
      ],
      version: 1,
    },
    // What a Go runner knows: terraform itself, and one artifact whose top is the module.
    native: knowsMore(spec) || source.kind === "git" || source.artifact.path !== undefined,
    sources: source.kind === "oci" && source.digest !== null ? [source.digest] : [],
  });
}

/** A Go runner has no tofu, synthesises nothing and runs no hooks of a deploy. */
const knowsMore = (spec: TerraformSpec) => spec.tool === "tofu" || spec.stack !== undefined || spec.hooks !== undefined;

function planSource(source: WireSource): Partial<DeployPlan> {
  if (source.kind === "git") return { src_git: source.git };
  const { registry, tag, path } = source.artifact;
  return { src_registry: registry, src_tag: tag, ...(path === undefined ? {} : { src_path: path }) };
}
