import { z } from "zod";
import { bool, foldedObject, str, stringMap, word } from "./base.ts";
import { installState } from "./install-state.ts";
import {
  actionWorkflowRunPlan,
  awsAuth,
  azureAuth,
  clusterInfo,
  deployPlan,
  gitSource,
  ociRegistry,
  sandboxMode,
  terraformDeployBlock,
} from "./plans.ts";

/** Plan documents of the families that later versions work (nuon-handlers.md 2.2 to 2.6). */
export const buildPlan = foldedObject({
  component_id: str,
  component_build_id: str,
  git_source: gitSource.nullish(),
  dst_registry: ociRegistry.nullish(),
  dst_tag: str,
  docker_build_plan: foldedObject({ build_args: stringMap, target: str, context: str, dockerfile: str }).nullish(),
  container_image_pull_plan: foldedObject({ image: str, tag: str, repo_config: ociRegistry.nullish() }).nullish(),
  helm_build_plan: foldedObject({
    Labels: stringMap,
    HelmRepoConfig: foldedObject({ RepoURL: str, Chart: str, Version: str }).nullish(),
  }).nullish(),
  terraform_build_plan: foldedObject({ Labels: stringMap }).nullish(),
  /** Newer servers (nuon-handlers.md 15). */
  kubernetes_manifest_build_plan: foldedObject({
    labels: stringMap,
    source_type: word(["inline", "kustomize"]),
    inline_manifest: str,
    kustomize_path: str,
    kustomize_config: foldedObject({
      patches: z.array(z.unknown()).nullish(),
      enable_helm: bool,
      load_restrictor: str,
    }).nullish(),
  }).nullish(),
  sandbox_mode: sandboxMode.nullish(),
});

export const syncOciPlan = foldedObject({
  src_registry: ociRegistry.nullish(),
  src_tag: str,
  dst_registry: ociRegistry.nullish(),
  dst_tag: str,
  sandbox_mode: sandboxMode.nullish(),
});

const { vars, env_vars, vars_files, terraform_backend, hooks, policies } = terraformDeployBlock.out.shape;
export const sandboxRunPlan = foldedObject({
  install_id: str,
  app_id: str,
  app_config_id: str,
  vars,
  env_vars,
  vars_files,
  git_source: gitSource.nullish(),
  local_archive: foldedObject({ local_archive: str }).nullish(),
  terraform_backend,
  azure_auth: azureAuth.nullish(),
  aws_auth: awsAuth.nullish(),
  hooks,
  policies,
  state: installState.nullish(),
  apply_plan_contents: str,
  /** Base64 bytes, other than the same key of a deploy plan. */
  apply_plan_display: str,
  sandbox_mode: sandboxMode.nullish(),
});

export const syncSecretsPlan = foldedObject({
  kubernetes_secrets: z
    .array(foldedObject({ secret_arn: str, secret_name: str, namespace: str, name: str, key_name: str, format: str }))
    .nullish(),
  cluster_info: clusterInfo.nullish(),
  azure_auth: azureAuth.nullish(),
  aws_auth: awsAuth.nullish(),
  sandbox_mode: sandboxMode.nullish(),
});

/** GET …/composite-plan: the same documents under the name of their family; at most one is set. */
export const compositePlan = z.looseObject({
  build_plan: buildPlan.nullish(),
  deploy_plan: deployPlan.nullish(),
  action_workflow_run_plan: actionWorkflowRunPlan.nullish(),
  sync_secrets_plan: syncSecretsPlan.nullish(),
  sync_oci_plan: syncOciPlan.nullish(),
  sandbox_run_plan: sandboxRunPlan.nullish(),
});
export type CompositePlan = z.infer<typeof compositePlan>;

/** GET /v1/installs/{install}/{component}/last-active-plan: null when there are fewer than two active deploys. */
export const lastActivePlan = z.looseObject({ ComponentDeployRunnerPlan: str });
