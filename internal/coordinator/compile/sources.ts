import type { z } from "zod";
import { fail, ok, type Result, RunnerError } from "../../protocol/errors.ts";
import type { SourceSpec } from "../../protocol/job-file.ts";
import type { gitSource, OciRegistry } from "../../protocol/nuon/plans.ts";
import type { Submission } from "../../protocol/operator.ts";
import { sourceRegistry } from "./render-plan.ts";

/** A packed folder as a plan names it. */
export interface PackedSource {
  readonly digest: string;
  readonly registry: OciRegistry;
  readonly tag: string;
  /** Folder inside the artifact, null for its top. */
  readonly path: string | null;
}

const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** The upload that belongs to the `path` source at `place` (e.g. `spec.source`) of a submission. */
export function packedSource(place: string, submission: Submission): Result<PackedSource> {
  const given = submission.sources?.[place];
  if (given === undefined) {
    return usage(`${place}: a path source must be packed and uploaded first; sources["${place}"] is missing`);
  }
  if (!DIGEST.test(given.digest)) {
    return usage(`sources["${place}"].digest: found "${given.digest}"; expected sha256: and 64 hexadecimal digits`);
  }
  const path = innerPath(given.path);
  if (path === null)
    return usage(`sources["${place}"].path: found "${given.path}"; expected a folder inside the source`);
  const hex = given.digest.slice("sha256:".length);
  return ok({ digest: given.digest, registry: sourceRegistry(hex), tag: hex, path: path === "" ? null : path });
}

/** Normalised relative path; `` for the top, null when it leads out. */
function innerPath(path: string): string | null {
  if (path.startsWith("/") || path.includes("\0") || path.includes("\\")) return null;
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") return null;
    parts.push(part);
  }
  return parts.join("/");
}

export const isPathSource = (source: SourceSpec): source is Extract<SourceSpec, { path: string }> => "path" in source;

type GitSpec = Extract<SourceSpec, { git: unknown }>;

/** A repository as a plan names it. A Go runner refuses an empty ref or path; HEAD is the remote's own default branch. */
export function gitPlanSource({ git }: GitSpec): z.infer<typeof gitSource> {
  return { url: git.url, ref: git.ref ?? "HEAD", path: git.path ?? ".", recurse_submodules: false };
}

export const usage = (message: string, remedy?: string): Result<never> =>
  fail(new RunnerError("usage", message, remedy === undefined ? {} : { remedy }));
