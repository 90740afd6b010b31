import { z } from "zod";
import { EXECUTION_STATUSES, JOB_OPERATIONS, JOB_STATUSES, JOB_TYPES } from "../enums.ts";
import { anyObject, bool, int, ns, rowFields, str, stringMap, time, word, wordOf } from "./base.ts";
import { WIRE_JOB_GROUPS } from "./words.ts";

/** What an execution reported (nuon-runner-api.md 4.4); byte fields are base64. */
export const executionResult = z.looseObject({
  ...rowFields,
  runner_job_execution_id: str,
  success: bool,
  error_code: int,
  error_metadata: stringMap,
  contents: str,
  contents_display: str,
  contents_gzip: str,
  contents_display_gzip: str,
});

/** The stored row of outputs; `outputs_json` is base64. */
export const executionOutputs = z.looseObject({
  ...rowFields,
  runner_job_execution_id: str,
  outputs_json: str,
  outputs: anyObject.nullish(),
});

/** Execution (nuon-runner-api.md 4.4). `result` and `outputs` never come with a GET on the real server. */
export const jobExecution = z.looseObject({
  ...rowFields,
  id: z.string().optional(),
  runner_job_id: str,
  status: word(EXECUTION_STATUSES),
  result: executionResult.nullish(),
  outputs: executionOutputs.nullish(),
  metadata: stringMap,
});
export type JobExecution = z.infer<typeof jobExecution>;

/** Runner job (nuon-runner-api.md 4.3). Status, type, group and operation stay text here: a newer server may send others. */
export const runnerJob = z.looseObject({
  ...rowFields,
  runner_id: str,
  owner_id: str,
  owner_type: str,
  log_stream_id: str,
  queue_timeout: ns,
  available_timeout: ns,
  execution_timeout: ns,
  overall_timeout: ns,
  max_executions: int,
  status: word(JOB_STATUSES),
  status_description: str,
  type: wordOf(JOB_TYPES),
  group: word(WIRE_JOB_GROUPS),
  operation: word(JOB_OPERATIONS),
  executions: z.array(jobExecution).nullish(),
  started_at: time,
  finished_at: time,
  metadata: stringMap,
  execution_count: int,
  final_runner_job_execution_id: str,
  outputs_json: str,
  outputs: anyObject.nullish(),
  execution_time: ns,
});
export type RunnerJob = z.infer<typeof runnerJob>;

export const jobPatch = z.looseObject({ status: word(JOB_STATUSES) });
export const executionPatch = z.looseObject({ status: word(EXECUTION_STATUSES) });

/** POST …/result (nuon-runner-api.md 2.9): base64 is URL-safe with padding. */
export const executionResultRequest = z.looseObject({
  success: bool,
  error_code: int,
  error_metadata: stringMap,
  contents_compressed: str,
  contents_display_compressed: str,
  contents: str,
  contents_display: anyObject.nullish(),
});
export type ExecutionResultRequest = z.infer<typeof executionResultRequest>;

export const executionOutputsRequest = z.looseObject({ outputs: anyObject.nullish() });

/** POST /v1/runners/{id}/heart-beats. */
export const heartBeatRequest = z.looseObject({ alive_time: ns, version: str, process: str });
export const heartBeat = z.looseObject({
  ...rowFields,
  runner_id: str,
  alive_time: ns,
  version: str,
  started_at: time,
  process: str,
});

/** What the result POST answers: `null` on the real server, whatever was stored. */
export const executionResultAnswer = z.looseObject({ id: str, runner_job_execution_id: str }).nullable();
