import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { artifactFile, type ReleaseArtifact } from "../../internal/kit/release/manifest.ts";
import { buildConfig, type ReleaseTarget } from "../../internal/kit/tools/build-config.ts";
import { RunnerError } from "../../internal/protocol/errors.ts";
import { COMPILE, defines } from "./build.ts";
import { signMachO } from "./release-mach-o.ts";
import { BUN, run, textOf } from "./spawn.ts";

export interface ProgramOptions {
  readonly version: string;
  /** Full id; "": outside of git. */
  readonly commit: string;
  /** SubjectPublicKeyInfo in base64 that the program will trust. */
  readonly releaseKey: string;
  readonly folder: string;
}

/** A program of the release and what was put into it. */
export interface Program {
  readonly artifact: ReleaseArtifact;
  readonly target: string;
  readonly runtime: ReleaseTarget;
  /** Paths of the modules in it, below the checkout. */
  readonly modules: readonly string[];
}

/** Compiles one target into the folder. Throws RunnerError `environment` when its runtime cannot be had or is another one. */
export async function buildProgram(name: string, options: ProgramOptions): Promise<Program> {
  const target = buildConfig().targets[name];
  if (target === undefined) throw new RunnerError("usage", `there is no target ${name}`);
  const runtime = await runtimeOf(name, target);
  const work = mkdtempSync(join(tmpdir(), "runner-release-"));
  try {
    // The name of the file becomes part of the program: it is the same for every target and folder.
    const made = join(work, "runner");
    const code = await run([
      ...COMPILE,
      `--target=bun-${target.runtime}`,
      `--compile-executable-path=${runtime}`,
      ...defines({
        RUNNER_BUILD_VERSION: options.version,
        RUNNER_BUILD_COMMIT: options.commit,
        RUNNER_BUILD_TARGET: name,
        RUNNER_RELEASE_KEY: options.releaseKey,
      }),
      `--metafile=${join(work, "modules.json")}`,
      `--outfile=${made}`,
    ]);
    if (code !== 0) throw new RunnerError("job", `${name} could not be built; the reason stands above`);
    const { inputs } = JSON.parse(readFileSync(join(work, "modules.json"), "utf8"));
    const bytes = target.os === "darwin" ? signMachO(readFileSync(made)) : readFileSync(made);
    const { os, arch, variant } = target;
    const file = artifactFile(options.version, { os, arch, variant });
    const artifact = { file, os, arch, variant, size: bytes.length, sha256: sha256(bytes) };
    writeFileSync(join(options.folder, file), bytes, { mode: 0o755 });
    chmodSync(join(options.folder, file), 0o755);
    return { artifact, target: name, runtime: target, modules: Object.keys(inputs).sort() };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/**
 * Path of Bun's own program for the target, of exactly the pinned bytes: this very Bun, or the one in its cache, where
 * it is fetched to. Throws RunnerError `environment` when it cannot be had, or is another one.
 */
export async function runtimeOf(name: string, target: ReleaseTarget, cache = cacheFolder()): Promise<string> {
  const { runtime, sha256: pinned } = target;
  const path = join(cache, `bun-${runtime}-v${Bun.version}`);
  if (sumOf(BUN) === pinned) return BUN;
  if (!existsSync(path)) await fetchRuntime(runtime);
  const found = sumOf(path);
  if (found === pinned) return path;
  if (found === null) {
    throw new RunnerError(
      "environment",
      `the runtime of ${name} (@oven/bun-${runtime} ${Bun.version}) could not be fetched, so it was not built`,
      { remedy: "Check that the npm registry can be reached, or name the other targets with --target." },
    );
  }
  throw new RunnerError("environment", `${path} has SHA-256 ${found}, build-config.yaml says ${pinned}`, {
    remedy: "Remove that file and try again; after a change of Bun's version put the new sum into build-config.yaml.",
  });
}

const sumOf = (path: string): string | null => (existsSync(path) ? sha256(readFileSync(path)) : null);

function cacheFolder(): string {
  return textOf([BUN, "pm", "cache"]) || join(homedir(), ".bun", "install", "cache");
}

/** Bun fetches it when a program is compiled for it; the smallest one will do. */
async function fetchRuntime(runtime: string): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), "runner-runtime-"));
  try {
    mkdirSync(work, { recursive: true });
    writeFileSync(join(work, "empty.ts"), "");
    await run([
      BUN,
      "build",
      "--compile",
      `--target=bun-${runtime}`,
      `--outfile=${join(work, "empty")}`,
      join(work, "empty.ts"),
    ]);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
