import type { ExecutionResultRequest } from "../../../protocol/nuon/jobs.ts";
import type { DeployPlan } from "../../../protocol/nuon/plans.ts";
import type { JobContext } from "../../handler.ts";
import { encodeContents } from "./saved-plan.ts";

/** What a terraform job reports in sandbox mode: the plan's state is stored, its saved plan is the result. */
export async function pretendTerraform(ctx: JobContext<DeployPlan>): Promise<ExecutionResultRequest | null> {
  const fake = ctx.plan.sandbox_mode?.terraform;
  const workspace = fake?.workspace_id || ctx.plan.terraform?.terraform_backend?.WorkspaceID;
  if (fake?.state_json && workspace) {
    const state = Buffer.from(fake.state_json, "base64");
    if (!(await ctx.state.pushErrored(workspace, state))) ctx.log.warn("sandbox mode: the state was not taken");
    await ctx.state.putStateJson(workspace, state);
  }
  if (!fake?.plan_contents) return null;
  return {
    success: true,
    contents_compressed: encodeContents(Bun.gzipSync(fake.plan_contents)),
    contents_display_compressed: encodeContents(Bun.gzipSync(fake.plan_display_contents ?? "")),
  };
}
