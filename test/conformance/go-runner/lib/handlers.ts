import { actionsWorkflow } from "./actions.ts";
import type { GoHandler, GoHandlers } from "./context.ts";
import { terraformDeploy } from "./terraform.ts";

const NOOP_MS = 2_000;

const noop = (): GoHandler => ({
  exec: (ctx) => ctx.sleep(NOOP_MS),
  outputs: async () => ({}),
});

const noopDeploy = (): GoHandler => ({ outputs: async () => ({}) });

/** Result in execute, or in cleanup for the build (9.6). */
const success = (where: "exec" | "cleanup") => (): GoHandler => ({
  [where]: async (ctx: Parameters<NonNullable<GoHandler["exec"]>>[0]) => {
    await ctx.sdk.result(ctx.jobId, ctx.executionId, { success: true });
  },
  outputs: async () => ({}),
});

const healthCheck = (): GoHandler => ({
  outputs: async () => ({ job_loops: { actions: 0, build: 0, deploy: 0, sandbox: 0, sync: 0 } }),
});

/** Everything in cleanup: finished on the execution, with `force` on the job too, then the process ends (9.16). */
const shutDown = (): GoHandler => ({
  outputs: async () => ({}),
  cleanup: async (ctx) => {
    await ctx.sdk.patchExecution(ctx.jobId, ctx.executionId, "finished");
    const metadata = (ctx.job.metadata ?? {}) as Record<string, string>;
    if (metadata.shutdown_type === "force") await ctx.sdk.patchJob(ctx.jobId, "finished");
    ctx.endProcess();
  },
});

/** Job types with a handler in `run` mode that this replay knows; every other type is reserved and failed (5.4). */
export const HANDLERS: GoHandlers = {
  noop,
  "noop-deploy": noopDeploy,
  "noop-build": success("cleanup"),
  "noop-sync": success("exec"),
  "health-check": healthCheck,
  "shut-down": shutDown,
  "actions-workflow": actionsWorkflow,
  "terraform-deploy": terraformDeploy,
};
