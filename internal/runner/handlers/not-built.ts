import type { JobType } from "../../protocol/enums.ts";
import { RunnerError } from "../../protocol/errors.ts";
import type { Handler } from "../handler.ts";

/** Every type of the protocol that this version cannot do: the job fails at once with a reason instead of waiting. */
export function notBuilt(types: readonly JobType[]): Handler {
  const refuse = (type: string) =>
    new RunnerError("job", `job type ${type} is not built into this version`, {
      remedy: "Run it on a runner whose version has it, or use one of the types that `runner explain` lists.",
    });
  return {
    types,
    plan: null,
    validate: (ctx) => Promise.reject(refuse(ctx.job.type)),
    execute: (ctx) => Promise.reject(refuse(ctx.job.type)),
  };
}
