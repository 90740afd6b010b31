import { type ErrorKind, RunnerError } from "../../../protocol/errors.ts";
import { nsToMs } from "../../../protocol/nuon/base.ts";
import type { ClusterInfo, DeployPlan, KubernetesManifestBlock, OciRegistry } from "../../../protocol/nuon/plans.ts";
import { readSavedPlan, type SavedPlan } from "./saved-plan.ts";

export const PROPAGATIONS = ["Foreground", "Background", "Orphan"] as const;
export type Propagation = (typeof PROPAGATIONS)[number];

/** What a manifest job is asked to do, checked: everything a plan may leave out is here or an error was thrown. */
export interface ManifestWork {
  readonly operation: "plan" | "plan-delete" | "apply" | "delete";
  readonly cluster: ClusterInfo | null;
  /** Of objects that name none. */
  readonly namespace: string;
  /** The manifest itself, or where it lies. */
  readonly source: ManifestSource;
  /** Name of the inventory; null: nothing is remembered. */
  readonly set: string | null;
  readonly prune: boolean;
  readonly force: boolean;
  /** Milliseconds; null: nothing is waited for. */
  readonly waitMs: number | null;
  readonly propagation: Propagation;
  /** Only for apply and delete. */
  readonly saved: SavedPlan | null;
}

export type ManifestSource =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "oci"; readonly registry: OciRegistry; readonly tag: string; readonly path: string }
  | {
      readonly kind: "git";
      readonly url: string;
      readonly ref: string;
      readonly path: string;
      readonly submodules: boolean;
      readonly knownHosts: string | null | undefined;
    };

/** Of what is removed, where the plan says nothing about waiting (Nuon's own plans). */
const GONE_MS = 300_000;

/** Throws RunnerError with one line that names what is missing or wrong. */
export function manifestWork(plan: DeployPlan, operation: string): ManifestWork {
  const block = plan.kubernetes_manifest;
  if (!block) throw invalid("it has no kubernetes_manifest block");
  const saved = operation === "apply-plan" ? readSavedPlan(plan.apply_plan_contents ?? "") : null;
  const options = block.runner_options;
  const kind = operationOf(operation, saved);
  return {
    operation: kind,
    cluster: block.cluster_info ?? null,
    namespace: block.namespace || "default",
    source: sourceOf(plan, block),
    set: options?.set || null,
    prune: options?.prune ?? false,
    force: options?.force_conflicts ?? false,
    waitMs: options ? nsToMs(options.wait_timeout) || null : kind === "delete" ? GONE_MS : null,
    propagation: propagationOf(options?.propagation),
    saved,
  };
}

function operationOf(operation: string, saved: SavedPlan | null): ManifestWork["operation"] {
  if (operation === "create-apply-plan") return "plan";
  if (operation === "create-teardown-plan") return "plan-delete";
  if (saved !== null) return saved.op;
  const known = "create-apply-plan, create-teardown-plan, apply-plan";
  throw invalid(`operation ${operation} is none of ${known}`, "job");
}

function propagationOf(said: string | null | undefined): Propagation {
  if (!said) return "Foreground";
  const found = PROPAGATIONS.find((one) => one === said);
  if (found !== undefined) return found;
  throw invalid(`the propagation ${JSON.stringify(said)} is none of ${PROPAGATIONS.join(", ")}`, "job");
}

/** A manifest in the plan wins; else Nuon's newer form, a packed `manifest.yaml`, or a folder of ours. */
function sourceOf(plan: DeployPlan, block: KubernetesManifestBlock): ManifestSource {
  if (block.manifest?.trim()) return { kind: "text", text: block.manifest };
  const { src_git: git, src_registry: registry, src_tag: tag, src_path: path } = plan;
  if (git?.url) {
    const { url, ref, recurse_submodules: submodules, known_hosts: knownHosts } = git;
    return { kind: "git", url, ref: ref ?? "", path: git.path || ".", submodules: submodules ?? false, knownHosts };
  }
  const version = block.oci_artifact?.digest || tag || block.oci_artifact?.tag;
  if (registry?.Repository && version) return { kind: "oci", registry, tag: version, path: path || "." };
  throw invalid("its manifest is empty, and it names no artifact that holds one");
}

const invalid = (what: string, kind: ErrorKind = "protocol") =>
  new RunnerError(kind, `the plan of this manifest job cannot be used: ${what}`);
