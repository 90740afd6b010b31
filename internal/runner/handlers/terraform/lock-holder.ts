import { RunnerError } from "../../../protocol/errors.ts";
import type { JobContext, LockHolder, ToolError } from "../../handler.ts";
import type { TerraformWork } from "./terraform-work.ts";

export const isLockConflict = ({ end }: ToolError): boolean => /Error acquiring the state lock/.test(end.tail);

/** Who holds the lock and since when, as the control plane knows it. The program prints no more than the lock's id. */
export async function lockConflict(
  ctx: JobContext<unknown>,
  work: TerraformWork,
  error: ToolError,
): Promise<RunnerError> {
  const holder = await ctx.state.lockHolder(work.workspaceId).catch(() => null);
  return new RunnerError("job", `the state is locked by ${holder ? text(holder) : anonymous(error)}`, {
    remedy: "Wait until it has ended; if nothing works on it any more, free it with `runner workspaces unlock`.",
    cause: error,
  });
}

function text({ jobId, who, operation, since }: LockHolder): string {
  const doing = /^OperationType(\w+)$/.exec(operation)?.[1]?.toLowerCase();
  const holder = jobId === null ? who || "somebody else" : `job ${jobId}`;
  return `${holder}${doing ? ` (${doing})` : ""}${since ? ` since ${since}` : ""}`;
}

function anonymous({ end }: ToolError): string {
  const id = /already locked: ID=(\S+)/.exec(end.tail)?.[1];
  return `somebody else${id ? ` (lock ${id})` : ""}`;
}
