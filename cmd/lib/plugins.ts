import { resolve } from "node:path";
import type { SystemLog } from "../../internal/kit/base/system-log.ts";
import { isPluginType } from "../../internal/protocol/enums.ts";
import { RunnerError } from "../../internal/protocol/errors.ts";
import { loadPlugins, NO_PLUGINS, type Plugins } from "../../internal/runner/plugins/load-plugins.ts";
import type { Context } from "./context.ts";

/** The plug-in handlers of the settings: what could be loaded, and what was refused and why. */
export async function pluginsFor({ values, cwd }: Pick<Context, "values" | "cwd">): Promise<Plugins> {
  if (values.handlersDir === null) return NO_PLUGINS;
  return await loadPlugins(resolve(cwd, values.handlersDir), process.getuid?.() ?? 0);
}

/** What a runner's log says about its plug-ins when it starts. */
export function tellPlugins({ loaded, refused }: Plugins, log: SystemLog): void {
  for (const { file, types } of loaded) log.info("plug-in loaded", { file, types: types.join(", ") });
  for (const { file, reason, remedy } of refused) log.error("plug-in refused", { file, reason, remedy });
}

/**
 * A job of a plug-in would wait for ever for a runner that has it, when the only runner is that of this command. Throws
 * RunnerError usage.
 */
export function refuseUnknownPlugin(type: string, { loaded, refused }: Plugins): void {
  if (!isPluginType(type) || loaded.some((one) => one.types.includes(type))) return;
  const why = refused.map(({ file, reason }) => `${file}: ${reason}`).join("; ");
  throw new RunnerError("usage", `no plug-in has the job type ${type}${why === "" ? "" : ` (${why})`}`, {
    remedy:
      "Name the folder of the plug-in's file with --handlers-dir (RUNNER_HANDLERS_DIR); `runner doctor` lists them.",
  });
}
