import { z } from "zod";
import { STEP_STATUSES } from "../enums.ts";
import { account } from "./accounts.ts";
import { anyObject, int, later, laterList, ns, partFields, rowFields, str, stringMap, word } from "./base.ts";
import { component } from "./components.ts";
import { runnerJob } from "./jobs.ts";
import { compositeStatus, logStream } from "./status.ts";
import { configRef, connectedGithubVcsConfig, publicGitVcsConfig } from "./vcs.ts";
import { TRIGGER_TYPES } from "./words.ts";
import { workflow } from "./workflows.ts";

/** Action documents (nuon-runner-api.md 4.5): the run, its config, and their steps. Pair steps by config id, never by index. */
export const actionStepConfig = z.looseObject({
  ...rowFields,
  action_workflow_config_id: str,
  app_id: str,
  app_config_id: str,
  name: str,
  idx: int,
  command: str,
  inline_contents: str,
  env_vars: stringMap,
  previous_step_id: str,
  connected_github_vcs_config: connectedGithubVcsConfig.nullish(),
  public_git_vcs_config: publicGitVcsConfig.nullish(),
  references: z.array(z.string()).nullish(),
});

const actionTriggerConfig = z.looseObject({
  ...partFields,
  action_workflow_config_id: str,
  app_id: str,
  app_config_id: str,
  type: str,
  index: int,
  cron_schedule: str,
  component: component.nullish(),
  component_id: str,
});

export const actionWorkflowConfig = z.looseObject({
  ...rowFields,
  app_id: str,
  app_config_id: str,
  action_workflow_id: str,
  triggers: z.array(actionTriggerConfig).nullish(),
  steps: z.array(actionStepConfig).nullish(),
  timeout: ns,
  component_dependency_ids: z.array(z.string()).nullish(),
  references: z.array(z.string()).nullish(),
  Refs: z.array(configRef).nullish(),
  break_glass_role_arn: str,
});
export type ActionWorkflowConfig = z.infer<typeof actionWorkflowConfig>;

const actionWorkflow = z.looseObject({
  ...partFields,
  app_id: str,
  config_count: int,
  configs: z.array(actionWorkflowConfig).nullish(),
  name: str,
  status: str,
  status_description: str,
});

const installActionWorkflow = z.looseObject({
  ...partFields,
  action_workflow: actionWorkflow.nullish(),
  action_workflow_id: str,
  install_id: str,
  runs: laterList((): z.core.SomeType => actionRun),
  status: str,
});

export const actionRunStep = z.looseObject({
  ...rowFields,
  install_action_workflow_run_id: str,
  step_id: str,
  status: word(STEP_STATUSES),
  execution_duration: ns,
});

export const actionRun = z.looseObject({
  ...rowFields,
  created_by: account.nullish(),
  runner_job: runnerJob.nullish(),
  log_stream: logStream.nullish(),
  install_id: str,
  install_action_workflow_id: str,
  install_action_workflow: installActionWorkflow.nullish(),
  status: str,
  status_description: str,
  status_v2: compositeStatus.nullish(),
  trigger_type: word(TRIGGER_TYPES),
  triggered_by_id: str,
  triggered_by_type: str,
  action_workflow_config_id: str,
  config: actionWorkflowConfig.nullish(),
  steps: z.array(actionRunStep).nullish(),
  run_env_vars: stringMap,
  install_workflow_id: str,
  execution_time: ns,
  outputs: anyObject.nullish(),
  workflow_id: str,
  workflow: later((): z.core.SomeType => workflow),
});
export type ActionRun = z.infer<typeof actionRun>;

/** PUT …/action-workflow-runs/{x}/steps/{run_step}; the answer echoes it. */
export const actionStepUpdate = z.looseObject({ status: word(STEP_STATUSES), execution_duration: ns });
