import type { GoHandler, JobContext } from "./context.ts";

/** How a job ended inside the runner: what it sent last, if it sent anything. */
export type Ended = "finished" | "failed" | "timed-out" | "dropped";

/**
 * The seven steps with their PATCHes (5.5, 5.6). A status call is repeated up to 11 times without a pause and never once
 * the job's context is done; cleanup runs on errors of execute and outputs only.
 */
export async function runSteps(ctx: JobContext, handler: GoHandler): Promise<Ended> {
  const steps: readonly Step[] = [
    { name: "resetting", status: "initializing", run: async () => undefined, cleanup: false },
    { name: "fetching", status: "initializing", run: handler.fetch, cleanup: false },
    { name: "validate", status: "initializing", run: handler.validate, cleanup: false },
    { name: "initialize", status: "initializing", run: handler.initialize, cleanup: false },
    { name: "execute", status: "in-progress", run: handler.exec, cleanup: true },
    { name: "outputs", status: "in-progress", run: (at) => postOutputs(at, handler), cleanup: true },
    { name: "cleanup", status: "cleaning-up", run: handler.cleanup, cleanup: false },
  ];
  for (const step of steps) {
    if (!(await patch(ctx, step.status))) return "dropped";
    const marks = { "runner_job_execution_step.name": step.name };
    ctx.log.emit("info", `executing job step ${step.name}`, marks);
    try {
      await step.run?.(ctx);
      ctx.log.emit("info", "step was completed successfully", marks);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      ctx.log.emit("error", `job step errored ${reason}`, marks);
      const status = /context deadline exceeded/.test(reason) ? "timed-out" : "failed";
      const reported = await patch(ctx, status);
      if (step.cleanup) await handler.cleanup?.(ctx).catch(() => undefined);
      return reported ? status : "dropped";
    }
  }
  return (await patch(ctx, "finished")) ? "finished" : "dropped";
}

interface Step {
  readonly name: string;
  readonly status: string;
  readonly run: ((ctx: JobContext) => Promise<void>) | undefined;
  readonly cleanup: boolean;
}

async function postOutputs(ctx: JobContext, handler: GoHandler): Promise<void> {
  const outputs = (await handler.outputs?.(ctx)) ?? null;
  await ctx.sdk.outputs(ctx.jobId, ctx.executionId, outputs);
}

export async function patch(ctx: JobContext, status: string): Promise<boolean> {
  for (let tries = 0; tries < 11 && !ctx.signal.aborted; tries++) {
    try {
      await ctx.sdk.patchExecution(ctx.jobId, ctx.executionId, status);
      return true;
    } catch {
      // Repeated at once, whatever it was.
    }
  }
  return false;
}
