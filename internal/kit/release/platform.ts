import { existsSync, readFileSync } from "node:fs";
import { fail, ok, type Result, RunnerError } from "../../protocol/errors.ts";
import type { ReleaseArtifact } from "./manifest.ts";
import type { Release } from "./verify.ts";

/** What a program must be made for to run here. */
export interface Platform {
  readonly os: string;
  readonly arch: string;
  /** linux only; null elsewhere. */
  readonly libc: "glibc" | "musl" | null;
  /** x64 only: the usual build for glibc may need AVX2, the others do not. */
  readonly avx2: boolean;
}

export interface Machine {
  readonly os: string;
  readonly arch: string;
  readonly exists: (path: string) => boolean;
  /** Throws where there is no such file. */
  readonly read: (path: string) => string;
}

const thisMachine: Machine = {
  os: process.platform,
  arch: process.arch,
  exists: existsSync,
  read: (path) => readFileSync(path, "utf8"),
};

const GLIBC = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1", "/lib64/ld-linux-aarch64.so.1"];
const MUSL = ["/lib/ld-musl-x86_64.so.1", "/lib/ld-musl-aarch64.so.1"];

/** Looks at the loaders and the processor's flags, as install.sh does. */
export function detectPlatform(machine: Machine = thisMachine): Platform {
  const { os, arch, exists } = machine;
  const linux = os === "linux";
  // Alpine with its glibc layer has both loaders; Debian with its musl package too.
  const musl = MUSL.some(exists) && (exists("/etc/alpine-release") || !GLIBC.some(exists));
  return { os, arch, libc: linux ? (musl ? "musl" : "glibc") : null, avx2: hasAvx2(machine) };
}

function hasAvx2({ os, arch, read }: Machine): boolean {
  if (arch !== "x64" || os !== "linux") return arch === "x64";
  try {
    return /^flags\s*:.*\bavx2\b/m.test(read("/proc/cpuinfo"));
  } catch {
    return false; // the build without it runs everywhere
  }
}

/** The program of the release that runs on this platform. Error `environment`: there is none. */
export function artifactFor({ manifest, source }: Release, platform: Platform): Result<ReleaseArtifact> {
  const { os, arch } = platform;
  const wanted = variantsFor(platform);
  const fitting = manifest.artifacts.filter((artifact) => artifact.os === os && artifact.arch === arch);
  const found = wanted.flatMap((variant) => fitting.filter((artifact) => artifact.variant === variant))[0];
  if (found) return ok(found);
  const has = manifest.artifacts.map((one) => [one.os, one.arch, one.variant].filter(Boolean).join("-")).join(", ");
  const message = `release ${manifest.version} at ${source.place} has no program for ${sayPlatform(platform)}`;
  return fail(new RunnerError("environment", message, { remedy: `It has: ${has || "none"}.` }));
}

/** Best first. */
function variantsFor({ arch, libc, avx2 }: Platform): readonly ReleaseArtifact["variant"][] {
  if (libc === "musl") return ["musl"];
  if (libc === null || arch !== "x64") return [""];
  return avx2 ? ["", "baseline"] : ["baseline"];
}

function sayPlatform({ os, arch, libc, avx2 }: Platform): string {
  return [os, arch, ...(libc === null ? [] : [libc]), ...(arch === "x64" && !avx2 ? ["without AVX2"] : [])].join(" ");
}
