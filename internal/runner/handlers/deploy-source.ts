import { isAbsolute, normalize } from "node:path";
import { type ErrorKind, RunnerError } from "../../protocol/errors.ts";
import type { DeployPlan, OciRegistry } from "../../protocol/nuon/plans.ts";
import type { SourceFetcher } from "../handler.ts";

/** Where a deploy's module, chart or manifest comes from. */
export type DeploySource =
  | { readonly kind: "oci"; readonly registry: OciRegistry; readonly tag: string }
  | {
      readonly kind: "git";
      readonly url: string;
      readonly ref: string;
      readonly path: string;
      readonly submodules: boolean;
      readonly knownHosts: string | null | undefined;
    };

/** Makes the error of a plan that cannot be used, for one type. */
export type Invalid = (what: string, kind?: ErrorKind) => RunnerError;

/** `who`: such as `terraform`. */
export const invalidPlan =
  (who: string): Invalid =>
  (what, kind = "protocol") =>
    new RunnerError(kind, `the plan of this ${who} job cannot be used: ${what}`);

export function deploySource(plan: DeployPlan, invalid: Invalid): DeploySource {
  const { src_git: git, src_registry: registry, src_tag: tag } = plan;
  if (git?.url) {
    const { url, ref, path, recurse_submodules: submodules, known_hosts: knownHosts } = git;
    return { kind: "git", url, ref: ref ?? "", path: path ?? "", submodules: submodules ?? false, knownHosts };
  }
  if (!registry?.Repository) throw invalid("it names no source (src_registry)");
  if (!tag) throw invalid("it names no version of its source (src_tag)");
  return { kind: "oci", registry, tag };
}

/** Folder inside the source, normalised, never outside it. */
export function sourcePath(plan: DeployPlan, invalid: Invalid): string {
  const path = (plan.src_git?.url ? plan.src_git.path : plan.src_path) || ".";
  const normal = normalize(path);
  if (isAbsolute(normal) || normal === ".." || normal.startsWith("../") || normal.includes("\0")) {
    throw invalid(`the path ${JSON.stringify(path)} leads out of its source`, "job");
  }
  return normal;
}

export async function fetchDeploySource(sources: SourceFetcher, source: DeploySource, into: string): Promise<void> {
  if (source.kind === "oci") await sources.oci(source, into);
  else await sources.git(source, into);
}
