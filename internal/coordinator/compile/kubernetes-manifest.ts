import { ok, type Result } from "../../protocol/errors.ts";
import type { KubernetesManifestSpec } from "../../protocol/job-specs/kubernetes-manifest.ts";
import { msToNs } from "../../protocol/nuon/base.ts";
import type { KubernetesManifestBlock } from "../../protocol/nuon/plans.ts";
import type { Submission } from "../../protocol/operator.ts";
import { compileCluster } from "./cluster.ts";
import { type ChangeOperation, type DeployFrame, deployFrame } from "./deploy-ids.ts";
import { wireSource } from "./sources.ts";

/** Everything of a manifest job that is not common to all jobs. */
export interface CompiledManifest extends DeployFrame {
  /** Needs something that only our runner knows. */
  readonly native: boolean;
  readonly sources: readonly string[];
}

/** Of readiness, when the job file says nothing. */
const WAIT_MS = 300_000;

/** DeployPlan and app config of a plan job (nuon-handlers.md 2.4, 9.9); `destroy` plans a teardown. */
export function compileManifest(
  spec: KubernetesManifestSpec,
  submission: Submission,
  context: { readonly name: string; readonly now: string; readonly operation: ChangeOperation },
): Result<CompiledManifest> {
  const cluster = compileCluster(spec.cluster, "spec.cluster");
  if (!cluster.ok) return cluster;
  const source = spec.source === undefined ? null : wireSource(spec.source, "spec.source", submission);
  if (source?.ok === false) return source;
  const namespace = spec.namespace ?? "default";
  const block: KubernetesManifestBlock = {
    cluster_info: cluster.value.info,
    namespace,
    manifest: spec.manifest ?? "",
    runner_options: {
      set: spec.set ?? "",
      prune: spec.prune ?? false,
      force_conflicts: spec.force_conflicts ?? false,
      wait_timeout: spec.wait === false ? 0 : msToNs(spec.wait_timeout ?? WAIT_MS),
      propagation: PROPAGATION[spec.propagation ?? "foreground"],
    },
  };
  const parts = { block: { kubernetes_manifest: block }, entry: { kubernetes_manifest: { namespace } } };
  // A Go runner waits for nothing, takes every field of others, and removes nothing.
  return ok({ ...deployFrame(context, { source: source?.value ?? null, ...parts }), native: true });
}

const PROPAGATION = { foreground: "Foreground", background: "Background", orphan: "Orphan" } as const;
