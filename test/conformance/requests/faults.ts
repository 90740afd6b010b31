import type { OperationName } from "../operations.ts";

/**
 * Scenarios whose server was told to answer wrongly, to see what the Go runner does. Ours has no such order: it answers
 * as always. `statuses`: what it may answer then, where that is more than the success of the operation.
 */
export interface Fault {
  readonly scenario: string;
  readonly operation: OperationName;
  readonly told: string;
  readonly statuses?: readonly number[];
}

export const FAULTS: readonly Fault[] = [
  { scenario: "start_settings_401", operation: "GetRunnerSettings", told: "401" },
  { scenario: "start_settings_404", operation: "GetRunnerSettings", told: "404" },
  { scenario: "start_settings_bad_json", operation: "GetRunnerSettings", told: "broken JSON" },
  { scenario: "poll_500_then_ok", operation: "GetRunnerJobs", told: "500" },
  { scenario: "poll_401", operation: "GetRunnerJobs", told: "401" },
  { scenario: "poll_invalid_json", operation: "GetRunnerJobs", told: "204, 429 and answers that are no list" },
  { scenario: "poll_hangs", operation: "GetRunnerJobs", told: "no answer" },
  { scenario: "heart_beat_errors", operation: "CreateRunnerHeartBeat", told: "404, 500, no answer, 200" },
  {
    scenario: "reserve_409",
    operation: "CreateRunnerJobExecution",
    told: "409 three times; ours gives the job at the first asking",
    statuses: [201, 409],
  },
  {
    scenario: "reserve_200",
    operation: "CreateRunnerJobExecution",
    told: "200 in place of 201; ours gives the job at the first asking",
    statuses: [201, 409],
  },
  { scenario: "reserve_lost_answer", operation: "CreateRunnerJobExecution", told: "an answer that was lost" },
  { scenario: "status_500", operation: "UpdateRunnerJobExecution", told: "500" },
  { scenario: "status_409_on_finish", operation: "UpdateRunnerJobExecution", told: "409" },
  { scenario: "status_500_once", operation: "UpdateRunnerJobExecution", told: "500 once" },
  { scenario: "status_204", operation: "UpdateRunnerJobExecution", told: "204" },
  { scenario: "outputs_500", operation: "CreateRunnerJobExecutionOutputs", told: "500" },
  { scenario: "result_500", operation: "CreateRunnerJobExecutionResult", told: "500" },
  { scenario: "result_200", operation: "CreateRunnerJobExecutionResult", told: "200 in place of 201" },
  { scenario: "plan_500", operation: "GetRunnerJobPlan", told: "500" },
  { scenario: "monitor_500", operation: "GetRunnerJob", told: "500" },
  { scenario: "logs_500", operation: "LogStreamWriteLogs", told: "500" },
  { scenario: "logs_503_retry_after", operation: "LogStreamWriteLogs", told: "503" },
  { scenario: "logs_429_no_retry_after", operation: "LogStreamWriteLogs", told: "429" },
  { scenario: "token_revoked_mid_job", operation: "GetRunnerJob", told: "401" },
  { scenario: "token_revoked_mid_job", operation: "UpdateRunnerJobExecution", told: "401" },
  { scenario: "token_revoked_mid_job", operation: "LogStreamWriteLogs", told: "401" },
  { scenario: "token_revoked_mid_job", operation: "GetRunnerJobs", told: "401" },
  { scenario: "token_revoked_mid_job", operation: "CreateRunnerHeartBeat", told: "401" },
  {
    scenario: "terraform_lock_conflict",
    operation: "LockTerraformWorkspace",
    told: "423, 409, 400 and 500 to a lock that nobody holds; with ours the first one gets it",
    statuses: [200, 423],
  },
  { scenario: "terraform_state_write_errors", operation: "UpdateTerraformState", told: "500 and 409" },
  {
    scenario: "terraform_server_forms",
    operation: "GetTerraformCurrentStateData",
    told: "404, 401, and 200 with an empty body for a workspace without a state",
    statuses: [204],
  },
];
