import type { OperationName } from "../operations.ts";

/**
 * Fields whose values no replay can repeat: ids a server makes, times, addresses, and what a customer's own set-up says.
 * Everything else that both the recording and our answer have must be equal.
 */
export const VOLATILE: ReadonlySet<string> = new Set([
  // Ids.
  "id",
  "created_by_id",
  "org_id",
  "owner_id",
  "owner_type",
  "log_stream_id",
  "runner_group_id",
  "runner_job_execution_id",
  // Times.
  "created_at",
  "updated_at",
  "started_at",
  "execution_time",
  "queue_timeout",
  "available_timeout",
  "execution_timeout",
  "overall_timeout",
  "max_executions",
  // Addresses and images.
  "container_image_url",
  "container_image_tag",
  "runner_api_url",
  // What an installation chose.
  "name",
  "display_name",
  "groups",
  "metadata",
  "sandbox_mode",
  "enable_logging",
  "enable_metrics",
  "enable_sentry",
  "logging_level",
  "heart_beat_timeout",
  "platform",
  "aws_instance_type",
  "status_description",
]);

/**
 * Answers that are not compared with the recording: it holds those of a small server, which differ here from the real
 * control plane's; ours are like the real one's. Their schema, type, fields and order are compared all the same.
 */
export const SMALL_SERVER: Readonly<Partial<Record<OperationName, string>>> = {
  CreateRunnerJobExecutionResult: "a row in place of null",
  UpdateTerraformState: "{} in place of the empty text",
  LockTerraformWorkspace: "{} in place of the empty text",
  UnlockTerraformWorkspace: "the empty text or {}; ours answers {}, which the Go SDK can read",
  UpdateTerraformStateJSON: "other words in its message",
  CreateHelmRelease: "the release in place of its row",
  UpdateHelmRelease: "the release in place of null",
  DeleteHelmRelease: "the release in place of null",
  GetRunner: "a runner that is active before its first heart beat",
};
