import type { z } from "zod";
import type { ExecutionResultRequest } from "../../protocol/nuon/jobs.ts";
import type { sandboxMode } from "../../protocol/nuon/plans.ts";
import type { Handler, JobContext } from "../handler.ts";

interface WithSandbox {
  readonly sandbox_mode?: z.infer<typeof sandboxMode> | null | undefined;
}

/**
 * The handler with Nuon's sandbox mode (nuon-handlers.md 12): while the server's settings switch it on, no step does
 * real work, `pretend` reports what the plan says, and the outputs are the plan's. Nuon's pauses are left out.
 */
export function withSandboxMode<Plan extends WithSandbox>(
  handler: Handler<Plan>,
  pretend: (ctx: JobContext<Plan>) => Promise<ExecutionResultRequest | null>,
): Handler<Plan> {
  const on = (ctx: JobContext<Plan>) => ctx.runner.settings()?.sandbox_mode === true;
  const unless = (step: ((ctx: JobContext<Plan>) => Promise<void>) | undefined) =>
    step ? async (ctx: JobContext<Plan>) => (on(ctx) ? undefined : step(ctx)) : undefined;
  const { fetch, validate, initialize, cleanup } = {
    fetch: unless(handler.fetch),
    validate: unless(handler.validate),
    initialize: unless(handler.initialize),
    cleanup: unless(handler.cleanup),
  };
  return {
    ...handler,
    ...(fetch ? { fetch } : {}),
    ...(validate ? { validate } : {}),
    ...(initialize ? { initialize } : {}),
    async execute(ctx) {
      if (!on(ctx)) return handler.execute(ctx);
      ctx.log.info("sandbox mode: nothing is done, the result is made up");
      return pretend(ctx);
    },
    async outputs(ctx) {
      if (!on(ctx)) return (await handler.outputs?.(ctx)) ?? { values: {}, sensitive: [] };
      const mode = ctx.plan.sandbox_mode;
      return { values: mode?.enabled ? { ...mode.outputs } : {}, sensitive: [] };
    },
    ...(cleanup ? { cleanup } : {}),
  };
}
