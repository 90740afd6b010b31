import { chmodSync, lstatSync } from "node:fs";
import { join } from "node:path";
import { type JobContext, StopError, ToolError } from "../../handler.ts";
import { endedText } from "../ended-text.ts";
import { moduleFolder, sourceFolder } from "./module-folder.ts";
import type { TerraformWork } from "./terraform-work.ts";

export type HookMoment = "pre" | "post" | "error";

/**
 * Runs `pre-apply.sh`, `post-apply.sh` or `error-apply.sh` of the module (for a destroy `pre-destroy.sh` and so on) where
 * the job has hooks and the file exists: in terraform's folder, with terraform's environment and that of the hooks.
 * Throws ToolError when it fails.
 */
export async function runHook(ctx: JobContext<unknown>, work: TerraformWork, moment: HookMoment): Promise<void> {
  if (work.hooks === null) return;
  const name = `${moment}-${work.hooks.destroy ? "destroy" : "apply"}`;
  const file = join(sourceFolder(ctx.workspace, work), `${name}.sh`);
  const facts = lstatSync(file, { throwIfNoEntry: false });
  if (facts === undefined) return;
  if (!facts.isFile()) return ctx.log.warn(`${name}.sh is not run: it is no plain file`);
  // A source may have come without modes; Nuon's runner runs it all the same.
  chmodSync(file, 0o700);
  const env = ctx.tools.env({ ...work.env, ...work.hooks.env });
  await ctx.step({ name }, async () => {
    try {
      await ctx.exec({ key: name, argv: [file], env, cwd: moduleFolder(ctx.workspace, work) });
    } catch (error) {
      if (!(error instanceof ToolError)) throw error;
      throw new ToolError(name, error.end, `the hook ${name}.sh ${endedText(error.end)}`);
    }
  });
}

/** After a failed apply. The job's reason stays that of the apply: a hook that fails as well is only logged. */
export async function runErrorHook(ctx: JobContext<unknown>, work: TerraformWork): Promise<void> {
  try {
    await runHook(ctx, work, "error");
  } catch (error) {
    if (error instanceof StopError) throw error;
    ctx.log.error(error instanceof Error ? error.message : String(error));
  }
}
