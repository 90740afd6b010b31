import type { JobType } from "../../protocol/enums.ts";
import type { ExecutionResultRequest } from "../../protocol/nuon/jobs.ts";
import { type DeployPlan, deployPlan } from "../../protocol/nuon/plans.ts";
import type { Handler, JobContext } from "../handler.ts";
import { notBuilt } from "./not-built.ts";
import { withSandboxMode } from "./sandbox-mode.ts";
import { pretendTerraform } from "./terraform/pretend-terraform.ts";
import { encodeContents } from "./terraform/saved-plan.ts";

/**
 * Types with a plan that this version cannot do, but can pretend to do for a server in sandbox mode (nuon-handlers.md
 * 12): every family reports what its plan makes up. Any plan document is read for its `sandbox_mode` alone.
 */
export function sandboxOnly(types: readonly JobType[]): Handler<DeployPlan> {
  return withSandboxMode({ ...notBuilt(types), plan: deployPlan }, pretendPlans);
}

/** The plan that the server made up for a deploy of this family. */
export async function pretendPlans(ctx: JobContext<DeployPlan>): Promise<ExecutionResultRequest | null> {
  const made = ctx.plan.sandbox_mode?.helm ?? ctx.plan.sandbox_mode?.kubernetes_manifest;
  if (!made?.plan_contents) return pretendTerraform(ctx);
  return {
    contents_compressed: encodeContents(Bun.gzipSync(made.plan_contents)),
    contents_display_compressed: encodeContents(Bun.gzipSync(made.plan_display_contents ?? "")),
  };
}
