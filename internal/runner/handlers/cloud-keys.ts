import { type AwsKeys, type AwsPlace, awsCredentials, type Expiring, regionOf } from "../../kit/cloud/index.ts";
import { RunnerError } from "../../protocol/errors.ts";
import type { AwsAuth, AzureAuth } from "../../protocol/nuon/plans.ts";
import type { JobContext } from "../handler.ts";
import { awsConfigEnv } from "./aws-config.ts";

/** What of a job context cloud credentials need. */
export type CloudJob = Pick<JobContext<unknown>, "cloud" | "execution" | "log" | "secrets">;

/** Sessions of roles are named after the execution, so that a cloud's audit trail leads to the job. */
export const awsPlace = ({ cloud, execution }: CloudJob): AwsPlace => ({
  env: cloud.env,
  session: `runner-${execution.id}`,
});

interface CloudAuth {
  readonly aws_auth?: AwsAuth | null | undefined;
  readonly azure_auth?: AzureAuth | null | undefined;
}

/**
 * The credentials of a plan as the environment of its programs (nuon-handlers.md 5.1, 5.4): AWS_* keys, made for this
 * job and registered for redaction, or the ids of Azure, which win. Empty when the plan names none. Throws RunnerError.
 */
export async function cloudKeys(ctx: CloudJob, auth: CloudAuth): Promise<Record<string, string>> {
  const { aws_auth: aws, azure_auth: azure } = auth;
  if (azure) return azureIds(azure);
  if (!aws) return {};
  const place = awsPlace(ctx);
  const region = regionOf(aws, place);
  const found = await unlessNone(ctx, aws, awsCredentials(aws, place)());
  return found === null ? { AWS_REGION: region } : keyVariables(ctx, found.value, region);
}

/** The same for a program that may work longer than keys are good for: those that expire are given by a file. */
export async function lastingCloudKeys(
  ctx: CloudJob & Pick<JobContext<unknown>, "workspace">,
  auth: CloudAuth,
): Promise<Record<string, string>> {
  const { aws_auth: aws, azure_auth: azure } = auth;
  if (azure || !aws) return cloudKeys(ctx, auth);
  const place = awsPlace(ctx);
  const keys = awsCredentials(aws, place);
  const region = regionOf(aws, place);
  const found = await unlessNone(ctx, aws, keys());
  if (found === null) return { AWS_REGION: region };
  if (found.untilMs === null) return keyVariables(ctx, found.value, region);
  return { ...(await awsConfigEnv(ctx, keys, region)), AWS_REGION: region };
}

/** `use_default` is a permission, not a wish: a machine without credentials may have work that needs none. */
async function unlessNone(ctx: CloudJob, auth: AwsAuth, keys: Promise<Expiring<AwsKeys>>) {
  try {
    return await keys;
  } catch (error) {
    if (!auth.use_default || !(error instanceof RunnerError) || error.kind !== "environment") throw error;
    ctx.log.warn(`${error.message}; the work begins without`);
    return null;
  }
}

function keyVariables({ secrets }: CloudJob, keys: AwsKeys, region: string): Record<string, string> {
  secrets.register(keys.secretAccessKey, keys.sessionToken);
  return {
    AWS_ACCESS_KEY_ID: keys.accessKeyId,
    AWS_SECRET_ACCESS_KEY: keys.secretAccessKey,
    ...(keys.sessionToken === null ? {} : { AWS_SESSION_TOKEN: keys.sessionToken }),
    AWS_REGION: region,
  };
}

function azureIds({ service_principal: principal }: AzureAuth): Record<string, string> {
  const ids = {
    ARM_SUBSCRIPTION_ID: principal?.subscription_id,
    ARM_TENANT_ID: principal?.subscription_tenant_id,
  };
  return Object.fromEntries(Object.entries(ids).flatMap(([name, value]) => (value ? [[name, value]] : [])));
}
