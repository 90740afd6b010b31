import { rmSync, writeFileSync } from "node:fs";
import { STALE_REMEDY } from "../../../kit/terraform/plan-base.ts";
import { RunnerError } from "../../../protocol/errors.ts";
import { type JobContext, ToolError } from "../../handler.ts";
import { cliConfigEnv } from "./cli-config.ts";
import { isLockConflict, lockConflict } from "./lock-holder.ts";
import { moduleFolder } from "./module-folder.ts";
import { pluginCache } from "./plugin-cache.ts";
import type { TerraformWork } from "./terraform-work.ts";

export interface TerraformCall {
  /** Unique within the execution; also names the call in reasons. */
  readonly key: string;
  readonly args: readonly [string, ...string[]];
  readonly expect?: readonly number[];
  /** Name of a file in the workspace for stdout. */
  readonly capture?: string;
  /** It takes the lock of the state. */
  readonly locks?: true;
}

/**
 * There from before terraform may take the lock until it has ended by itself, when it has freed it: only then is a lock
 * on the control plane known to be somebody else's.
 */
export const lockMark = (workspace: JobContext<unknown>["workspace"]): string => workspace.path("may-hold-lock");

/** Runs terraform in the module's folder; resolves with its exit code, throws ToolError with its first `Error:` line. */
export type TerraformRunner = (call: TerraformCall) => Promise<number>;

export function terraformRunner(ctx: JobContext<unknown>, work: TerraformWork, program: string): TerraformRunner {
  const env = ctx.tools.env({
    ...work.env,
    ...cliConfigEnv(ctx, work),
    ...pluginCache(ctx, work).env,
    ...ctx.state.terraformEnv(work.workspaceId),
    TF_IN_AUTOMATION: "1",
    TF_INPUT: "0",
    // No call home for newer versions.
    CHECKPOINT_DISABLE: "1",
  });
  const cwd = moduleFolder(ctx.workspace, work);
  return async ({ key, args, expect, capture, locks }) => {
    if (locks) writeFileSync(lockMark(ctx.workspace), "");
    try {
      const end = await ctx.exec({
        key,
        argv: [program, ...args],
        env,
        cwd,
        ...(expect ? { expect } : {}),
        ...(capture ? { capture: ctx.workspace.path(capture) } : {}),
      });
      if (locks) rmSync(lockMark(ctx.workspace), { force: true });
      return end.code ?? 0;
    } catch (error) {
      if (!(error instanceof ToolError)) throw error;
      if (locks && endedByItself(error)) rmSync(lockMark(ctx.workspace), { force: true });
      if (isLockConflict(error)) throw await lockConflict(ctx, work, error);
      if (saysStale(error)) throw new RunnerError("conflict", outgrown(work), { remedy: STALE_REMEDY, cause: error });
      throw new ToolError(key, error.end, failureReason(`${work.tool} ${key}`, error));
    }
  };
}

/** The state moved after `validate` had compared it. */
const saysStale = ({ end }: ToolError): boolean => /Error: Saved plan (is stale|does not match)/.test(end.tail);
const outgrown = ({ tool }: TerraformWork) =>
  `stale_plan: ${tool} refused the plan, the state changed since it was made`;

/** Not killed, and it did not say that it could not unlock. */
const endedByItself = ({ end }: ToolError): boolean =>
  end.code !== null && end.code < 128 && !/Error releasing the state lock/i.test(end.tail);

function failureReason(command: string, { end }: ToolError): string {
  const failed = `${command} failed (${end.code === null ? "exit code lost" : `exit ${end.code}`})`;
  const said = firstError(end.tail);
  return said === null ? failed : `${failed}: ${said}`;
}

/** Terraform frames its messages in bars unless -no-color is given; both forms are read. */
export function firstError(tail: string): string | null {
  const line = /^[\s│|]*Error: (.+)$/m.exec(tail)?.[1]?.trim();
  return line ? line.slice(0, 300) : null;
}
