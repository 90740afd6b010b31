import { createToolFinder, toolEnv } from "../../internal/kit/tools/index.ts";
import type { ToolFinder } from "../../internal/runner/handler.ts";
import type { Context } from "./context.ts";
import { toolsFolder } from "./folders.ts";
import { readFile } from "./read-file.ts";

/** The programs that jobs need, found or fetched as the settings say. Home and temporary folder are set per job. */
export function toolsFor({ values, env }: Pick<Context, "values" | "env">): ToolFinder {
  const finder = createToolFinder({
    path: env.PATH ?? "",
    cacheDir: values.toolsDir ?? toolsFolder({ env }),
    mirror: values.toolsMirror,
    ...(values.caFile ? { ca: readFile(values.caFile, "CA file") } : {}),
  });
  return {
    find: finder.find,
    env: (extra) => toolEnv(env, { home: "/nonexistent", tmp: "/tmp" }, extra),
  };
}
