import { RunnerError } from "../../protocol/errors.ts";
import { expectedVersion } from "../../protocol/runner-wishes.ts";
import type { Handler, HandlerOutputs, JobContext, ManagedEnd, Management } from "../handler.ts";

const NO_OUTPUTS: Promise<HandlerOutputs<Record<string, unknown>>> = Promise.resolve({ values: {}, sensitive: [] });

/** Throws RunnerError environment where nobody manages a runner. */
function managementOf(ctx: JobContext<unknown>): Management {
  const { management } = ctx.runner;
  if (management) return management;
  throw new RunnerError("environment", `${ctx.job.type} is for a process in mode mng, which looks after a runner`, {
    remedy: "Start one on the machine: `runner run --mode mng`.",
  });
}

/** The version that the settings ask for now. Throws RunnerError job: they name none. */
export async function wantedVersion(ctx: JobContext<unknown>): Promise<string> {
  const wanted = expectedVersion((await ctx.runner.freshSettings()) ?? {});
  if (wanted !== null) return wanted;
  throw new RunnerError("job", "the settings name no version (`latest` is none)", {
    remedy: "Set container_image_tag to the version wanted.",
  });
}

/** What was asked for goes on by itself when the job is stopped meanwhile; the job then ends as it was told to. */
export async function settle(ctx: JobContext<unknown>, work: Promise<ManagedEnd>): Promise<null> {
  const stopped = Promise.withResolvers<never>();
  const stop = () => stopped.reject(ctx.signal.reason);
  ctx.signal.addEventListener("abort", stop, { once: true });
  try {
    ctx.signal.throwIfAborted();
    const { ok, text } = await Promise.race([work, stopped.promise]);
    if (!ok) throw new RunnerError("job", text);
    ctx.log.info(text);
    return null;
  } finally {
    ctx.signal.removeEventListener("abort", stop);
  }
}

/**
 * Jobs of the group management (nuon-handlers.md 9.15). Unlike Nuon's own process, an update and a restart are finished
 * only when the runner is healthy again, and fail with the reason when it is not.
 */
export const updateRunner: Handler = {
  types: ["mng-runner-update-version"],
  plan: null,
  validate: async (ctx) => void managementOf(ctx),
  execute: async (ctx) => {
    const wanted = await wantedVersion(ctx);
    ctx.log.info("updating the runner", { version: wanted });
    return settle(ctx, managementOf(ctx).update(ctx.execution.id, wanted));
  },
  outputs: () => NO_OUTPUTS,
};

export const restartRunner: Handler = {
  types: ["mng-runner-restart"],
  plan: null,
  validate: async (ctx) => void managementOf(ctx),
  execute: (ctx) => settle(ctx, managementOf(ctx).restart()),
  outputs: () => NO_OUTPUTS,
};

/** Ends mng; the runner goes on, and the service manager starts mng again. */
export const shutDownManagement: Handler = {
  types: ["mng-shut-down"],
  plan: null,
  validate: async (ctx) => void managementOf(ctx),
  execute: () => Promise.resolve(null),
  outputs: () => NO_OUTPUTS,
  cleanup: async (ctx) => {
    if (ctx.runner.management) ctx.runner.shutdown("graceful");
  },
};

/** Powers the machine off after the report; without `shutdown_type: vm` nothing happens, as with Nuon's own process. */
export const shutDownMachine: Handler = {
  types: ["mng-vm-shut-down"],
  plan: null,
  validate: async (ctx) => void managementOf(ctx),
  execute: () => Promise.resolve(null),
  outputs: () => NO_OUTPUTS,
  cleanup: async (ctx) => {
    if (ctx.signal.aborted || ctx.job.metadata?.shutdown_type !== "vm") return;
    ctx.runner.management?.powerOff();
    ctx.runner.shutdown("graceful");
  },
};
