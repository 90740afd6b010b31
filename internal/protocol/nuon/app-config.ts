import { z } from "zod";
import { actionWorkflowConfig } from "./actions.ts";
import { bool, int, later, laterList, partFields, rowFields, str, stringMap, word } from "./base.ts";
import { componentConfigConnection } from "./components.ts";
import { installInputs } from "./installs.ts";
import { appSandboxConfig } from "./sandbox-config.ts";
import { vcsConnectionCommit } from "./vcs.ts";
import { APP_CONFIG_STATUSES, CLOUD_PLATFORMS, IAM_ROLE_TYPES, RUNNER_PLATFORMS, STACK_TYPES } from "./words.ts";
import { workflow } from "./workflows.ts";

/** GET /v1/apps/{app}/config/{app_config} (nuon-runner-api.md 2.15). Runners read the terraform versions and whether helm is set. */

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
  type: word(IAM_ROLE_TYPES),
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
  group: later((): z.core.SomeType => inputGroup),
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
  install_inputs: laterList((): z.core.SomeType => installInputs),
});

const runnerConfig = z.looseObject({
  ...partFields,
  app_config_id: str,
  app_id: str,
  app_runner_type: word(RUNNER_PLATFORMS),
  cloud_platform: word(CLOUD_PLATFORMS),
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
  type: word(STACK_TYPES),
  vpc_nested_template_url: str,
});

const appBranch = z.looseObject({
  ...partFields,
  app_id: str,
  connected_github_vcs_config_id: str,
  name: str,
  workflows: laterList((): z.core.SomeType => workflow),
});

export const appConfig = z.looseObject({
  ...rowFields,
  action_workflow_configs: z.array(actionWorkflowConfig).nullish(),
  app_branch: appBranch.nullish(),
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
  sandbox: appSandboxConfig.nullish(),
  secrets: secretsConfig.nullish(),
  stack: stackConfig.nullish(),
  state: str,
  status: word(APP_CONFIG_STATUSES),
  status_description: str,
  vcs_connection_commit: vcsConnectionCommit.nullish(),
  version: int,
});
export type AppConfig = z.infer<typeof appConfig>;
