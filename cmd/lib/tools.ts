import { besidePublic } from "../../internal/kit/http/certificate.ts";
import { createToolFinder, readSums, type ToolSums, toolEnv } from "../../internal/kit/tools/index.ts";
import type { ToolFinder } from "../../internal/runner/handler.ts";
import { readCa } from "./ca-file.ts";
import type { Context } from "./context.ts";
import { toolsFolder } from "./folders.ts";
import { providerMirror } from "./provider-mirror.ts";
import { readFile } from "./read-file.ts";

/** The programs that jobs need, found or fetched as the settings say. Home and temporary folder are set per job. */
export function toolsFor({ values, env, cwd }: Pick<Context, "values" | "env" | "cwd">): ToolFinder {
  const cacheDir = values.toolsDir ?? toolsFolder({ env });
  const ca = readCa(values.caFile);
  const finder = createToolFinder({
    path: env.PATH ?? "",
    cacheDir,
    mirror: values.toolsMirror,
    sums: sumsFrom(values.toolsSums),
    // The private authority may be that of a mirror; vendors have public ones.
    ...(ca === null ? {} : { ca: besidePublic(ca) }),
  });
  return {
    find: finder.find,
    cacheDir,
    providerMirror: providerMirror(values.providerMirror, cwd),
    env: (extra) => toolEnv(env, { home: "/nonexistent", tmp: "/tmp" }, extra),
  };
}

/** Checksums that the operator of this machine vouches for. Throws RunnerError usage. */
export function sumsFrom(file: string | null): ToolSums {
  return file === null ? new Map() : readSums(readFile(file, "file of checksums"), file);
}
