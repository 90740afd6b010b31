import { ok, type Result } from "../../protocol/errors.ts";
import type { HelmSpec } from "../../protocol/job-specs/helm.ts";
import { msToNs } from "../../protocol/nuon/base.ts";
import type { ClusterInfo, HelmDeployBlock } from "../../protocol/nuon/plans.ts";
import type { Submission } from "../../protocol/operator.ts";
import { compileCluster } from "./cluster.ts";
import { type ChangeOperation, type DeployFrame, deployFrame } from "./deploy-ids.ts";
import { usage, wireSource } from "./sources.ts";

/** Everything of a helm job that is not common to all jobs. */
export interface CompiledHelm extends DeployFrame {
  /** Needs something that only our runner knows. */
  readonly native: boolean;
  readonly sources: readonly string[];
}

/** DeployPlan and app config of a plan job (nuon-handlers.md 2.4, 9.8); `destroy` plans an uninstall. */
export function compileHelm(
  spec: HelmSpec,
  submission: Submission,
  context: { readonly name: string; readonly now: string; readonly operation: ChangeOperation },
): Result<CompiledHelm> {
  const found = wireSource(spec.source, "spec.source", submission);
  if (!found.ok) return found;
  const cluster = compileCluster(spec.cluster, "spec.cluster");
  if (!cluster.ok) return cluster;
  const files = submission.vars_files ?? [];
  const named = spec.values_files?.length ?? 0;
  if (files.length !== named) {
    return usage(`vars_files: found the contents of ${files.length} files; spec.values_files names ${named}`);
  }
  const values = singleValues(spec);
  if (!values.ok) return values;
  const helm: HelmDeployBlock = {
    cluster_info: cluster.value.info,
    name: spec.release,
    namespace: spec.namespace ?? "default",
    create_namespace: spec.create_namespace ?? true,
    storage_driver: DRIVER[spec.storage ?? "secret"],
    helm_chart_id: spec.storage === "nuon" ? releaseStore(spec, cluster.value.info, submission.runner) : "",
    // In a plan the earlier file wins (9.8), in a job file the later one.
    values_files: [...(spec.values === undefined ? [] : [JSON.stringify(spec.values)]), ...files.toReversed()],
    values: values.value,
    take_ownership: spec.take_ownership ?? false,
    runner_options: {
      version: spec.version ?? "",
      wait: spec.wait ?? true,
      wait_for_jobs: spec.wait_for_jobs ?? false,
      wait_timeout: msToNs(spec.wait_timeout ?? 0),
      rollback_on_failure: spec.rollback_on_failure ?? false,
      force_conflicts: spec.force_conflicts ?? false,
      no_hooks: spec.hooks === false,
      history_limit: spec.history_limit ?? 10,
      recover_pending: spec.recover_pending ?? false,
    },
  };
  const entry = { helm: { chart_name: spec.release } };
  // A Go runner wants the chart packed as chart.tgz, and has neither a choice of helm nor any of the options.
  return ok({ ...deployFrame(context, { source: found.value, block: { helm }, entry }), native: true });
}

const DRIVER = { secret: "secrets", configmap: "configmap", nuon: "nuon" } as const;

/**
 * Id of the store of one release at the coordinator: the same for every change of the same release in the same cluster,
 * so it is made of them. The runner's own cluster is known by the runner, where the submission names one.
 */
function releaseStore(spec: HelmSpec, info: ClusterInfo | null, runner: string | undefined): string {
  const server = /"?server"?:\s*"?([^\s",]+)/.exec(info?.kube_config ?? "")?.[1];
  const cluster = info === null ? (runner ?? "") : server || info.endpoint || "";
  const parts = JSON.stringify([cluster, spec.namespace ?? "default", spec.release]);
  return `hmc${new Bun.CryptoHasher("sha256").update(parts).digest("hex").slice(0, 23)}`;
}

function singleValues(spec: HelmSpec): Result<NonNullable<HelmDeployBlock["values"]>> {
  const values: NonNullable<HelmDeployBlock["values"]> = [];
  for (const [name, value] of Object.entries(spec.set ?? {})) {
    if (typeof value === "object") {
      return usage(`spec.set.${name}: a secret reference cannot be resolved here`, "Submit with `runner job submit`.");
    }
    const type = typeof value === "string" ? "string" : "auto";
    values.push({ name, value: String(value), type, literal: true });
  }
  return ok(values);
}
