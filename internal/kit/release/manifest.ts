import { z } from "zod";

/** A path inside a release: plain words, so that it means the same to a file system, a web server and a shell. */
const WORD = "[A-Za-z0-9][A-Za-z0-9._+-]*";
const PATH = new RegExp(`^${WORD}(?:/${WORD})*$`);
const VERSION = new RegExp(`^(?=.{1,100}$)${WORD}$`);

export const isReleasePath = (path: string): boolean => PATH.test(path) && !path.includes("..");
export const isReleaseVersion = (version: string): boolean => VERSION.test(version) && !version.includes("..");

const path = z.string().max(300).refine(isReleasePath, "a plain relative path");
const version = z.string().refine(isReleaseVersion, "a version");
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "a SHA-256 in lower-case hex");

const artifact = z.object({
  file: path,
  os: z.enum(["linux", "darwin"]),
  arch: z.enum(["x64", "arm64"]),
  /** "": the usual one of its system (glibc on linux; it may need AVX2 on x64). */
  variant: z.enum(["", "baseline", "musl"]),
  /** Bytes. */
  size: z.number().int().positive(),
  sha256,
});
export type ReleaseArtifact = z.infer<typeof artifact>;

/** release.json; members of later versions are left alone. */
export const releaseManifest = z.object({
  schema: z.literal(1),
  version,
  /** Full commit id; "": made outside of git. */
  commit: z.string().regex(/^(?:[0-9a-f]{40,64})?$/),
  /** RFC 3339, UTC: the time of the commit. */
  made: z.iso.datetime(),
  artifacts: z.array(artifact).max(100),
  tools: z.array(z.object({ tool: z.string(), version, platform: z.string(), file: path, sha256 })).max(1_000),
});
export type ReleaseManifest = z.infer<typeof releaseManifest>;

/** File name of the program in a release. */
export function artifactFile(version: string, { os, arch, variant }: Pick<ReleaseArtifact, "os" | "arch" | "variant">) {
  return ["runner", version, os, arch, ...(variant === "" ? [] : [variant])].join("_");
}
