import { z } from "zod";
import { account } from "./accounts.ts";
import { actionRun } from "./actions.ts";
import { bool, int, later, laterList, partFields, str, stringMap, word } from "./base.ts";
import { componentBuild } from "./builds.ts";
import { runnerJob } from "./jobs.ts";
import { appSandboxConfig } from "./sandbox-config.ts";
import { compositeStatus, logStream } from "./status.ts";
import { DEPLOY_TYPES, SANDBOX_RUN_TYPES } from "./words.ts";
import { workflow } from "./workflows.ts";

/** Values a customer gave to an install. */
export const installInputs = z.looseObject({
  ...partFields,
  app_input_config_id: str,
  install_id: str,
  redacted_values: stringMap,
  values: stringMap,
});

/** An artifact in a registry, as a row. */
export const ociArtifactRow = z.looseObject({
  ...partFields,
  annotations: stringMap,
  architecture: str,
  artifact_type: str,
  digest: str,
  media_type: str,
  os: str,
  os_features: z.array(z.string()).nullish(),
  os_version: str,
  owner_id: str,
  owner_type: str,
  repository: str,
  size: int,
  tag: str,
  urls: z.array(z.string()).nullish(),
  variant: str,
});

/** A run of the install's base infrastructure. */
export const installSandboxRun = z.looseObject({
  ...partFields,
  action_workflow_runs: laterList((): z.core.SomeType => actionRun),
  app_sandbox_config: appSandboxConfig.nullish(),
  created_by: account.nullish(),
  install_id: str,
  install_sandbox_id: str,
  install_workflow_id: str,
  log_stream: logStream.nullish(),
  outputs: z.unknown().optional(),
  run_type: word(SANDBOX_RUN_TYPES),
  runner_jobs: z.array(runnerJob).nullish(),
  status: str,
  status_description: str,
  status_v2: compositeStatus.nullish(),
  workflow: later((): z.core.SomeType => workflow),
  workflow_id: str,
});

/** A deploy of one component into one install. */
export const installDeploy = z.looseObject({
  ...partFields,
  action_workflow_runs: laterList((): z.core.SomeType => actionRun),
  build_id: str,
  component_build: later((): z.core.SomeType => componentBuild),
  component_config_version: int,
  component_id: str,
  component_name: str,
  created_by: account.nullish(),
  install_component_id: str,
  install_deploy_type: word(DEPLOY_TYPES),
  install_id: str,
  install_workflow_id: str,
  log_stream: logStream.nullish(),
  oci_artifact: ociArtifactRow.nullish(),
  outputs: z.unknown().optional(),
  plan_only: bool,
  release_id: str,
  runner_jobs: z.array(runnerJob).nullish(),
  status: str,
  status_description: str,
  status_v2: compositeStatus.nullish(),
  workflow: later((): z.core.SomeType => workflow),
  workflow_id: str,
});
