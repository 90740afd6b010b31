import { z } from "zod";
import { bool, int, partFields, str, stringMap, word } from "./base.ts";
import { configRef, connectedGithubVcsConfig, publicGitVcsConfig } from "./vcs.ts";
import { COMPONENT_TYPES } from "./words.ts";

/** Component configs of an app config: exactly one of the kinds is set in each connection. */

const ecrImageConfig = z.looseObject({
  ...partFields,
  aws_region: str,
  component_config_id: str,
  component_config_type: str,
  iam_role_arn: str,
});

const dockerBuildConfig = z.looseObject({
  ...partFields,
  build_args: z.array(z.string()).nullish(),
  component_config_connection_id: str,
  connected_github_vcs_config: connectedGithubVcsConfig.nullish(),
  dockerfile: str,
  env_vars: stringMap,
  public_git_vcs_config: publicGitVcsConfig.nullish(),
  target: str,
});

const externalImageConfig = z.looseObject({
  ...partFields,
  aws_ecr_image_config: ecrImageConfig.nullish(),
  component_config_connection_id: str,
  image_url: str,
  tag: str,
});

const helmConfigJson = z.looseObject({
  chart_name: str,
  namespace: str,
  storage_driver: str,
  take_ownership: bool,
  values: stringMap,
  values_files: z.array(z.string()).nullish(),
  helm_repo_config: z.looseObject({ repo_url: str, chart: str, version: str }).nullish(),
});

const helmConfig = z.looseObject({
  ...partFields,
  chart_name: str,
  component_config_connection_id: str,
  connected_github_vcs_config: connectedGithubVcsConfig.nullish(),
  helm_config_json: helmConfigJson.nullish(),
  namespace: str,
  public_git_vcs_config: publicGitVcsConfig.nullish(),
  storage_driver: str,
  take_ownership: bool,
  values: stringMap,
  values_files: z.array(z.string()).nullish(),
});

const jobConfig = z.looseObject({
  ...partFields,
  args: z.array(z.string()).nullish(),
  cmd: z.array(z.string()).nullish(),
  component_config_connection_id: str,
  env_vars: stringMap,
  image_url: str,
  tag: str,
});

const kubernetesManifestConfig = z.looseObject({
  ...partFields,
  component_config_connection_id: str,
  manifest: str,
  namespace: str,
});

const terraformModuleConfig = z.looseObject({
  ...partFields,
  component_config_connection_id: str,
  connected_github_vcs_config: connectedGithubVcsConfig.nullish(),
  env_vars: stringMap,
  public_git_vcs_config: publicGitVcsConfig.nullish(),
  variables: stringMap,
  variables_files: z.array(z.string()).nullish(),
  version: str,
});

export const component = z.looseObject({
  ...partFields,
  app_id: str,
  config_versions: int,
  dependencies: z.array(z.string()).nullish(),
  links: z.unknown().optional(),
  name: str,
  resolved_var_name: str,
  status: str,
  status_description: str,
  type: word(COMPONENT_TYPES),
  var_name: str,
});

export const componentConfigConnection = z.looseObject({
  ...partFields,
  app_config_id: str,
  app_config_version: int,
  checksum: str,
  component_dependency_ids: z.array(z.string()).nullish(),
  component_id: str,
  component_name: str,
  docker_build: dockerBuildConfig.nullish(),
  drift_schedule: str,
  external_image: externalImageConfig.nullish(),
  helm: helmConfig.nullish(),
  job: jobConfig.nullish(),
  kubernetes_manifest: kubernetesManifestConfig.nullish(),
  references: z.array(z.string()).nullish(),
  Refs: z.array(configRef).nullish(),
  terraform_module: terraformModuleConfig.nullish(),
  type: word(COMPONENT_TYPES),
  version: int,
});
