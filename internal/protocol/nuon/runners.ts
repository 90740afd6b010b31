import { z } from "zod";
import { int, laterList, partFields, str, time, word } from "./base.ts";
import { runnerJob } from "./jobs.ts";
import { runnerSettings } from "./settings.ts";
import { logStream } from "./status.ts";
import { RUNNER_GROUP_TYPES, RUNNER_OPERATION_TYPES, RUNNER_PLATFORMS, RUNNER_STATUSES } from "./words.ts";

/** What the server does with a runner's infrastructure. */
export const runnerOperation = z.looseObject({
  ...partFields,
  log_stream: logStream.nullish(),
  operation_type: word(RUNNER_OPERATION_TYPES),
  runner_id: str,
  status: str,
  status_description: str,
});

/** Runners that share settings. */
export const runnerGroup = z.looseObject({
  ...partFields,
  owner_id: str,
  owner_type: str,
  platform: word(RUNNER_PLATFORMS),
  runners: laterList((): z.core.SomeType => runnerDocument),
  settings: runnerSettings.nullish(),
  type: word(RUNNER_GROUP_TYPES),
});

/** GET /v1/runners/{id} (nuon-runner-api.md 2.17). */
export const runnerDocument = z.looseObject({
  ...partFields,
  display_name: str,
  jobs: z.array(runnerJob).nullish(),
  name: str,
  operations: z.array(runnerOperation).nullish(),
  runner_group: runnerGroup.nullish(),
  runner_group_id: str,
  runner_job: runnerJob.nullish(),
  status: str,
  status_description: str,
});

/** The row that a health check POST makes; on the real server one is written each minute, too. */
export const healthCheck = z.looseObject({
  ...partFields,
  minute_bucket: time,
  process: str,
  runner_id: str,
  runner_job: runnerJob.nullish(),
  status: word(RUNNER_STATUSES),
  status_code: int,
});

/** POST /v1/runners/{id}/health-checks. */
export const healthCheckRequest = z.looseObject({ process: str });
