import { expectedVersion, isVersion } from "../../protocol/runner-wishes.ts";
import type { Handler, HandlerOutputs } from "../handler.ts";
import { settle } from "./management.ts";

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

/**
 * Ends the process so that its supervisor starts the version of the settings (nuon-handlers.md 9.16). Where this program
 * was installed by install.sh, that version is put in place first; else it is the supervisor's (a new image).
 */
export const updateVersion: Handler = {
  types: ["update-version"],
  plan: null,
  async execute(ctx) {
    const wanted = expectedVersion((await ctx.runner.freshSettings()) ?? {});
    const { ownUpdate, version } = ctx.runner;
    if (wanted === null || isVersion(wanted, version)) {
      ctx.log.info("no other version is asked for; the process is started again", { running: version });
    } else if (ownUpdate) {
      // One that fails leaves the process as it is.
      await settle(ctx, ownUpdate(ctx.execution.id, wanted));
    } else {
      ctx.log.info("the process ends; its supervisor is to start the version", { version: wanted, running: version });
    }
    // Only after this job is reported.
    ctx.runner.shutdown("graceful");
    return null;
  },
  outputs: () => NO_OUTPUTS,
};
