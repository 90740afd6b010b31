import type { DeployPlan } from "../../../protocol/nuon/plans.ts";
import type { JobContext } from "../../handler.ts";
import { cloudKeys, lastingCloudKeys } from "../cloud-keys.ts";
import { kubeAccess } from "../kube/access.ts";
import type { TerraformWork } from "./terraform-work.ts";

/**
 * The work with the plan's cloud credentials in its environment, made now and for this job: AWS and Azure (nuon-handlers.md
 * 5.1, 5.4), a KUBECONFIG of its cluster, and those of its hooks. What `env_vars` says wins. Throws RunnerError.
 */
export async function withCloudAccess(ctx: JobContext<DeployPlan>, work: TerraformWork): Promise<TerraformWork> {
  const block = ctx.plan.terraform;
  if (!block) return work;
  const keys = await lastingCloudKeys(ctx, block);
  const cluster = block.cluster_info;
  const config =
    cluster?.endpoint || cluster?.kube_config
      ? { KUBECONFIG: await (await kubeAccess(ctx, cluster)).kubeconfig() }
      : {};
  const { hooks } = work;
  const auth = block.hooks?.RunAuth;
  const made = auth?.profile || auth?.use_default || auth?.assume_role?.role_arn;
  const forHooks = hooks === null || !auth || !made ? {} : await cloudKeys(ctx, { aws_auth: auth });
  return {
    ...work,
    env: { ...keys, ...config, ...work.env },
    hooks: hooks === null ? null : { ...hooks, env: { ...forHooks, ...hooks.env } },
  };
}
