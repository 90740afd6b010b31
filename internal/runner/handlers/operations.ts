import type { Handler, HandlerOutputs } from "../handler.ts";

/** Shared by all runs: a no-op job allocates nothing, has no workspace and logs nothing. */
const NO_RESULT = Promise.resolve(null);
const NO_OUTPUTS: Promise<HandlerOutputs<Record<string, unknown>>> = Promise.resolve({ values: {}, sensitive: [] });

export const noop: Handler = {
  types: ["noop", "noop-deploy"],
  plan: null,
  execute: () => NO_RESULT,
  outputs: () => NO_OUTPUTS,
};

/** Nanoseconds since each loop was last checked (nuon-handlers.md 9.14). */
export const healthCheck: Handler = {
  types: ["health-check"],
  plan: null,
  execute: () => NO_RESULT,
  outputs: async (ctx) => ({ values: { job_loops: ctx.runner.checkLoops() }, sensitive: [] }),
};

/**
 * The work is done in cleanup, so that the job's end has been decided by then; the process itself stops only after the
 * report has been delivered. A forced one does not wait for other jobs.
 */
export const shutDown: Handler = {
  types: ["shut-down"],
  plan: null,
  execute: () => NO_RESULT,
  outputs: () => NO_OUTPUTS,
  cleanup: async (ctx) => ctx.runner.shutdown(ctx.job.metadata?.shutdown_type === "force" ? "force" : "graceful"),
};
