import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { releaseManifest } from "../../internal/kit/release/manifest.ts";
import type { ToolName } from "../../internal/kit/tools/build-config.ts";
import { createToolFinder, readSums } from "../../internal/kit/tools/index.ts";
import { RunnerError } from "../../internal/protocol/errors.ts";
import { BINARY, ensureBuilt } from "./build.ts";
import type { Arch } from "./images-args.ts";
import { sha256 } from "./release-programs.ts";
import { ROOT } from "./spawn.ts";

const RECIPES = `${ROOT}bundle/container`;

/** The recipes, with modes that do not depend on the umask of whoever cloned the repository. */
export function putRecipes(context: string): void {
  cpSync(RECIPES, context, { recursive: true });
  for (const entry of readdirSync(context, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const runs = entry.isDirectory() || (statSync(path).mode & 0o100) !== 0;
    chmodSync(path, runs ? 0o755 : 0o644);
  }
}

export interface ProgramSource {
  readonly version: string;
  /** Full commit id; "": unknown. */
  readonly commit: string;
  /** Writes `bin/runner-ARCH`. Throws RunnerError when there is no program for it, or its checksum is wrong. */
  put(arch: Arch, context: string): void;
}

/** The programs of a release folder. One image is for every machine, so that of x64 that needs no AVX2 is preferred. */
export function fromRelease(folder: string): ProgramSource {
  const file = join(folder, "release.json");
  if (!existsSync(file)) {
    throw new RunnerError("usage", `${folder} is no release folder`, { remedy: "`npm run release` makes one." });
  }
  const { version, commit, artifacts } = releaseManifest.parse(JSON.parse(readFileSync(file, "utf8")));
  return {
    version,
    commit,
    put(arch, context) {
      const here = artifacts.filter((one) => one.os === "linux" && one.arch === (arch === "amd64" ? "x64" : "arm64"));
      const found = here.find(({ variant }) => variant === "baseline") ?? here.find(({ variant }) => variant === "");
      if (found === undefined) {
        throw new RunnerError("usage", `${folder} has no program for linux/${arch} with glibc`, {
          remedy: "Make the release with that target.",
        });
      }
      const from = join(folder, found.file);
      if (sha256(readFileSync(from)) !== found.sha256) {
        throw new RunnerError("policy", `${from} has another checksum than ${file} says`);
      }
      putProgram(from, arch, context);
    },
  };
}

/** dist/runner, built when it is not there. */
export async function fromBuild(version: string, commit: string): Promise<ProgramSource> {
  const given = process.env.RUNNER_BIN;
  if (given === undefined) await ensureBuilt();
  return {
    version,
    commit,
    put(arch, context) {
      const mine = process.arch === "x64" ? "amd64" : process.arch;
      if (arch !== mine || process.platform !== "linux") {
        throw new RunnerError("usage", `dist/runner is not for linux/${arch}`, {
          remedy: "`npm run release` makes programs for every target; name its folder with --release.",
        });
      }
      putProgram(given ?? BINARY, arch, context);
    },
  };
}

function putProgram(from: string, arch: Arch, context: string): void {
  const into = join(context, "bin", `runner-${arch}`);
  mkdirSync(join(context, "bin"), { recursive: true });
  copyFileSync(from, into);
  chmodSync(into, 0o755);
}

/** Writes `tools/ARCH/NAME`: exactly these versions, fetched once per machine, checked. Throws RunnerError. */
export async function putTools(
  versions: ReadonlyMap<ToolName, string>,
  arch: Arch,
  context: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<void> {
  const folder = join(context, "tools", arch);
  mkdirSync(folder, { recursive: true });
  const sums = env.RUNNER_TOOLS_SUMS;
  const cache = env.XDG_CACHE_HOME || join(homedir(), ".cache");
  const finder = createToolFinder({
    // What this machine has on PATH was checked by nobody.
    path: "",
    cacheDir: env.RUNNER_TOOLS_DIR ?? join(cache, "runner", "tools"),
    mirror: env.RUNNER_TOOLS_MIRROR ?? null,
    platform: `linux_${arch}`,
    ...(sums === undefined ? {} : { sums: readSums(readFileSync(sums, "utf8"), sums) }),
  });
  for (const [tool, version] of versions) {
    const into = join(folder, tool);
    copyFileSync(await finder.find(tool, version), into);
    chmodSync(into, 0o755);
  }
}
