import { z } from "zod";
import { actionWorkflowConfig } from "./actions.ts";
import { anyObject, bool, int, partFields, rowFields, str, stringMap } from "./base.ts";
import { componentConfigConnection } from "./components.ts";
import { configRef, connectedGithubVcsConfig, publicGitVcsConfig, vcsConnectionCommit } from "./vcs.ts";

/** GET /v1/apps/{app}/config/{app_config} (nuon-runner-api.md 2.15). Runners read the terraform versions and whether helm is set. */

const sandboxConfig = z.looseObject({
  ...partFields,
  app_config_id: str,
  app_id: str,
  aws_region_type: str,
  cloud_platform: str,
  connected_github_vcs_config: connectedGithubVcsConfig.nullish(),
  drift_schedule: str,
  env_vars: stringMap,
  public_git_vcs_config: publicGitVcsConfig.nullish(),
  terraform_version: str,
  variables: stringMap,
  variables_files: z.array(z.string()).nullish(),
  references: z.array(z.string()).nullish(),
  Refs: z.array(configRef).nullish(),
});

const iamPolicy = z.looseObject({
  ...partFields,
  app_aws_iam_role_config_id: str,
  app_config_id: str,
  cloudformation_stack_name: str,
  contents: str,
  managed_policy_name: str,
  name: str,
});

const iamRole = z.looseObject({
  ...partFields,
  app_config_id: str,
  cloudformation_param_name: str,
  cloudformation_stack_name: str,
  description: str,
  display_name: str,
  name: str,
  owner_id: str,
  owner_type: str,
  permissions_boundary: str,
  policies: z.array(iamPolicy).nullish(),
  type: str,
});

const permissionsConfig = z.looseObject({
  ...partFields,
  app_config_id: str,
  app_id: str,
  aws_iam_roles: z.array(iamRole).nullish(),
  break_glass_aws_iam_role: iamRole.nullish(),
  deprovision_aws_iam_role: iamRole.nullish(),
  maintenance_aws_iam_role: iamRole.nullish(),
  provision_aws_iam_role: iamRole.nullish(),
});

const breakGlassConfig = z.looseObject({
  ...partFields,
  app_config_id: str,
  app_id: str,
  aws_iam_roles: z.array(iamRole).nullish(),
});

const policiesConfig = z.looseObject({
  ...partFields,
  app_config_id: str,
  app_id: str,
});

const appInput = z.looseObject({
  ...partFields,
  app_input_id: str,
  default: str,
  description: str,
  display_name: str,
  group: anyObject.nullish(),
  group_id: str,
  index: int,
  internal: bool,
  name: str,
  required: bool,
  sensitive: bool,
  type: str,
  cloudformation_stack_name: str,
  cloudformation_stack_parameter_name: str,
  source: str,
});

const inputGroup = z.looseObject({
  ...partFields,
  app_input_id: str,
  app_inputs: z.array(appInput).nullish(),
  description: str,
  display_name: str,
  index: int,
  name: str,
});

const inputConfig = z.looseObject({
  ...partFields,
  app_config_id: str,
  app_id: str,
  input_groups: z.array(inputGroup).nullish(),
  inputs: z.array(appInput).nullish(),
  install_inputs: z.array(anyObject).nullish(),
});

const runnerConfig = z.looseObject({
  ...partFields,
  app_config_id: str,
  app_id: str,
  app_runner_type: str,
  cloud_platform: str,
  env_vars: stringMap,
  helm_driver: str,
  init_script: str,
});

const secretConfig = z.looseObject({
  ...partFields,
  app_config_id: str,
  app_id: str,
  app_secrets_config_id: str,
  auto_generate: bool,
  cloudformation_param_name: str,
  cloudformation_stack_name: str,
  default: str,
  description: str,
  display_name: str,
  format: str,
  kubernetes_secret_name: str,
  kubernetes_secret_namespace: str,
  kubernetes_sync: bool,
  name: str,
  required: bool,
});

const secretsConfig = z.looseObject({
  ...partFields,
  app_config_id: str,
  app_id: str,
  secrets: z.array(secretConfig).nullish(),
});

const stackConfig = z.looseObject({
  ...partFields,
  app_config_id: str,
  app_id: str,
  description: str,
  name: str,
  runner_nested_template_url: str,
  type: str,
  vpc_nested_template_url: str,
});

export const appConfig = z.looseObject({
  ...rowFields,
  action_workflow_configs: z.array(actionWorkflowConfig).nullish(),
  app_branch: anyObject.nullish(),
  app_branch_id: str,
  app_id: str,
  break_glass: breakGlassConfig.nullish(),
  checksum: str,
  cli_version: str,
  component_config_connections: z.array(componentConfigConnection).nullish(),
  component_ids: z.array(z.string()).nullish(),
  input: inputConfig.nullish(),
  permissions: permissionsConfig.nullish(),
  policies: policiesConfig.nullish(),
  readme: str,
  runner: runnerConfig.nullish(),
  sandbox: sandboxConfig.nullish(),
  secrets: secretsConfig.nullish(),
  stack: stackConfig.nullish(),
  state: str,
  status: str,
  status_description: str,
  vcs_connection_commit: vcsConnectionCommit.nullish(),
  version: int,
});
export type AppConfig = z.infer<typeof appConfig>;
