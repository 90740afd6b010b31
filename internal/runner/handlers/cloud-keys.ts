import { type AwsPlace, awsCredentials, regionOf } from "../../kit/cloud/index.ts";
import type { AwsAuth, AzureAuth } from "../../protocol/nuon/plans.ts";
import type { JobContext } from "../handler.ts";

/** What of a job context cloud credentials need. */
export type CloudJob = Pick<JobContext<unknown>, "cloud" | "execution" | "secrets">;

/** Sessions of roles are named after the execution, so that a cloud's audit trail leads to the job. */
export const awsPlace = ({ cloud, execution }: CloudJob): AwsPlace => ({
  env: cloud.env,
  session: `runner-${execution.id}`,
});

/**
 * The credentials of a plan as the environment of its programs (nuon-handlers.md 5.1, 5.4): AWS_* keys, made for this
 * job and registered for redaction, or the ids of Azure, which win. Empty when the plan names none. Throws RunnerError.
 */
export async function cloudKeys(
  ctx: CloudJob,
  auth: { readonly aws_auth?: AwsAuth | null | undefined; readonly azure_auth?: AzureAuth | null | undefined },
): Promise<Record<string, string>> {
  const { aws_auth: aws, azure_auth: azure } = auth;
  if (azure) return azureIds(azure);
  if (!aws) return {};
  const place = awsPlace(ctx);
  const { value } = await awsCredentials(aws, place)();
  ctx.secrets.register(value.secretAccessKey, value.sessionToken);
  return {
    AWS_ACCESS_KEY_ID: value.accessKeyId,
    AWS_SECRET_ACCESS_KEY: value.secretAccessKey,
    ...(value.sessionToken === null ? {} : { AWS_SESSION_TOKEN: value.sessionToken }),
    AWS_REGION: regionOf(aws, place),
  };
}

function azureIds({ service_principal: principal }: AzureAuth): Record<string, string> {
  const ids = {
    ARM_SUBSCRIPTION_ID: principal?.subscription_id,
    ARM_TENANT_ID: principal?.subscription_tenant_id,
  };
  return Object.fromEntries(Object.entries(ids).flatMap(([name, value]) => (value ? [[name, value]] : [])));
}
