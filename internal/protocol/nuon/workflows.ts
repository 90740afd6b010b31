import { z } from "zod";
import { account } from "./accounts.ts";
import { actionRun } from "./actions.ts";
import { bool, int, later, laterList, partFields, str, stringMap, time, word } from "./base.ts";
import { installDeploy, installSandboxRun } from "./installs.ts";
import { runnerJob } from "./jobs.ts";
import { compositeStatus } from "./status.ts";
import {
  APPROVAL_OPTIONS,
  APPROVAL_TYPES,
  STEP_ERROR_BEHAVIORS,
  STEP_EXECUTION_TYPES,
  WORKFLOW_TYPES,
} from "./words.ts";

/** What a policy said of a step. */
export const policyValidation = z.looseObject({
  ...partFields,
  install_workflow_step_id: str,
  response: str,
  runner_job_id: str,
  status: compositeStatus.nullish(),
});

/** An approval that a step waits for, or got. */
export const workflowStepApproval = z.looseObject({
  ...partFields,
  install_workflow_step: later((): z.core.SomeType => workflowStep),
  install_workflow_step_id: str,
  owner_id: str,
  owner_type: str,
  response: stringMap,
  runner_job: runnerJob.nullish(),
  runner_job_id: str,
  type: word(APPROVAL_TYPES),
  workflow_step: later((): z.core.SomeType => workflowStep),
  workflow_step_id: str,
});

/** One step of a workflow. */
export const workflowStep = z.looseObject({
  ...partFields,
  approval: workflowStepApproval.nullish(),
  created_by: account.nullish(),
  execution_time: int,
  execution_type: word(STEP_EXECUTION_TYPES),
  finished: bool,
  finished_at: time,
  group_idx: int,
  group_retry_idx: int,
  idx: int,
  install_workflow_id: str,
  links: z.unknown().optional(),
  metadata: stringMap,
  name: str,
  owner_id: str,
  owner_type: str,
  policy_validation: policyValidation.nullish(),
  retried: bool,
  retryable: bool,
  skippable: bool,
  started_at: time,
  status: compositeStatus.nullish(),
  step_target_id: str,
  step_target_type: str,
  workflow_id: str,
});

/** What the server does for a person in several steps, each with jobs of its own. */
export const workflow = z.looseObject({
  ...partFields,
  approval_option: word(APPROVAL_OPTIONS),
  created_by: account.nullish(),
  execution_time: int,
  finished: bool,
  finished_at: time,
  install_action_workflow_runs: laterList((): z.core.SomeType => actionRun),
  install_deploys: laterList((): z.core.SomeType => installDeploy),
  install_sandbox_runs: laterList((): z.core.SomeType => installSandboxRun),
  links: z.unknown().optional(),
  metadata: stringMap,
  name: str,
  owner_id: str,
  owner_type: str,
  plan_only: bool,
  started_at: time,
  status: compositeStatus.nullish(),
  step_error_behavior: word(STEP_ERROR_BEHAVIORS),
  steps: z.array(workflowStep).nullish(),
  type: word(WORKFLOW_TYPES),
});
