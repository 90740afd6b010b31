import { z } from "zod";
import { partFields, str, stringMap } from "./base.ts";
import { configRef, connectedGithubVcsConfig, publicGitVcsConfig } from "./vcs.ts";

/** Where the module of an install's base infrastructure lies, and with what it runs. */
export const appSandboxConfig = z.looseObject({
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
