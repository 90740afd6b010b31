import type { JobOperation } from "../../protocol/enums.ts";
import { newId } from "../../protocol/ids.ts";
import type { AppConfig } from "../../protocol/nuon/app-config.ts";
import type { DeployPlan } from "../../protocol/nuon/plans.ts";
import type { WireSource } from "./sources.ts";

/** Operation of a job file for a type with a plan. */
export type ChangeOperation = "plan" | "apply" | "destroy";

/** What every deploy of a component has around its own block (nuon-runner-api.md 4.3, nuon-handlers.md 2.4). */
export interface DeployFrame {
  readonly deployId: string;
  readonly operation: JobOperation;
  readonly metadata: Readonly<Record<string, string>>;
  readonly plan: DeployPlan;
  readonly appConfig: AppConfig;
  /** Digests of packed folders that must live as long as the job. */
  readonly sources: readonly string[];
}

export interface DeployParts {
  readonly source: WireSource | null;
  readonly block: Partial<Pick<DeployPlan, "helm" | "terraform" | "kubernetes_manifest">>;
  readonly entry: Readonly<Record<string, unknown>>;
}

/** `entry`: what the component's connection in the app config says about its type; `source` null: the plan holds all. */
export function deployFrame(
  context: { readonly name: string; readonly now: string; readonly operation: ChangeOperation },
  { source, block, entry }: DeployParts,
): DeployFrame {
  const ids = {
    install: newId("install"),
    app: newId("app"),
    appConfig: newId("appConfig"),
    component: newId("component"),
    deploy: newId("deploy"),
  };
  const operation = context.operation === "destroy" ? "create-teardown-plan" : "create-apply-plan";
  return {
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
      ...(source === null ? {} : planSource(source)),
      apply_plan_contents: "",
      apply_plan_display: "",
      helm: null,
      terraform: null,
      kubernetes_manifest: null,
      noop: null,
      ...block,
    },
    sources: source?.kind === "oci" && source.digest !== null ? [source.digest] : [],
    appConfig: {
      id: ids.appConfig,
      created_at: context.now,
      updated_at: context.now,
      app_id: ids.app,
      status: "active",
      component_config_connections: [{ component_id: ids.component, ...entry }],
      version: 1,
    },
  };
}

function planSource(source: WireSource): Partial<DeployPlan> {
  if (source.kind === "git") return { src_git: source.git };
  const { registry, tag, path } = source.artifact;
  return { src_registry: registry, src_tag: tag, ...(path === undefined ? {} : { src_path: path }) };
}
