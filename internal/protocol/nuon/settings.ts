import { z } from "zod";
import { bool, int, ns, partFields, str, stringMap } from "./base.ts";

/** GET /v1/runners/{id}/settings (nuon-runner-api.md 4.2). Always present on the real server: aws_max_instance_lifetime, platform. */
export const runnerSettings = z.looseObject({
  ...partFields,
  runner_group_id: str,
  container_image_url: str,
  container_image_tag: str,
  runner_api_url: str,
  sandbox_mode: bool,
  heart_beat_timeout: ns,
  otel_collector_config: str,
  enable_sentry: bool,
  enable_metrics: bool,
  enable_logging: bool,
  logging_level: str,
  groups: z.array(z.string()).nullish(),
  metadata: stringMap,
  org_aws_iam_role_arn: str,
  org_k8s_service_account_name: str,
  aws_instance_type: str,
  aws_max_instance_lifetime: int,
  aws_cloudformation_stack_type: str,
  aws_tags: stringMap,
  local_aws_iam_role_arn: str,
  platform: str,
});
export type RunnerSettings = z.infer<typeof runnerSettings>;
