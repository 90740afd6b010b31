import { nsToMs } from "../../../protocol/nuon/base.ts";
import type { DeployPlan, HelmDeployBlock } from "../../../protocol/nuon/plans.ts";
import { type DeploySource, deploySource, invalidPlan, sourcePath } from "../deploy-source.ts";
import { readSavedPlan, type SavedHelmPlan } from "./saved-helm-plan.ts";

/** What a helm job is asked to do, checked: everything a plan may leave out is here or an error was thrown. */
export interface HelmWork {
  readonly operation: "plan" | "plan-uninstall" | "apply";
  readonly release: string;
  readonly namespace: string;
  readonly createNamespace: boolean;
  readonly driver: "secret" | "configmap" | "nuon";
  /** Store of the driver `nuon`. */
  readonly chartId: string;
  readonly clusterInfo: HelmDeployBlock["cluster_info"];
  /** null: an uninstall, which needs no chart. */
  readonly source: DeploySource | null;
  /** Folder of the chart inside the source. */
  readonly path: string;
  /** File contents, lowest first: a later one wins, as with `helm -f`. Empty ones are left out. */
  readonly valuesFiles: readonly string[];
  readonly values: readonly SingleValue[];
  readonly takeOwnership: boolean;
  readonly options: HelmOptions;
  /** Only for apply. */
  readonly saved: SavedHelmPlan | null;
}

export interface SingleValue {
  readonly name: string;
  readonly value: string;
  /** `string`: text, whatever it looks like. */
  readonly type: "auto" | "string";
  /** Not read by the grammar of `helm --set`. */
  readonly literal: boolean;
}

export interface HelmOptions {
  /** Exact version of helm; null: any. */
  readonly version: string | null;
  readonly wait: boolean;
  readonly waitForJobs: boolean;
  /** Milliseconds; null: a share of the job's timeout. */
  readonly waitTimeoutMs: number | null;
  readonly rollbackOnFailure: boolean;
  readonly forceConflicts: boolean;
  readonly hooks: boolean;
  readonly historyLimit: number;
  readonly recoverPending: boolean;
}

const OPERATIONS: Readonly<Record<string, HelmWork["operation"]>> = {
  "create-apply-plan": "plan",
  "create-teardown-plan": "plan-uninstall",
  "apply-plan": "apply",
};

const DRIVERS: Readonly<Record<string, HelmWork["driver"]>> = {
  "": "configmap",
  configmap: "configmap",
  configmaps: "configmap",
  secret: "secret",
  secrets: "secret",
  nuon: "nuon",
};

/** At most 53 letters in lower case, digits, `-` and `.`; each part begins and ends with a letter or digit. */
const RELEASE = /^(?=.{1,53}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** Helm's default; a Nuon plan has none, and its own runner keeps all. */
const HISTORY_LIMIT = 10;

const invalid = invalidPlan("helm");

/** Throws RunnerError with one line that names what is missing or wrong. */
export function helmWork(plan: DeployPlan, operation: string): HelmWork {
  const block = plan.helm;
  if (!block) throw invalid("it has no helm block");
  const kind = OPERATIONS[operation];
  if (kind === undefined) {
    throw invalid(`operation ${operation} is none of ${Object.keys(OPERATIONS).join(", ")}`, "job");
  }
  if (!block.name) throw invalid("it names no release (helm.name)");
  // Helm's own rule, asked before it stands among arguments and in selectors.
  if (!RELEASE.test(block.name)) throw invalid(`${JSON.stringify(block.name)} is no name of a release`, "job");
  const driver = DRIVERS[block.storage_driver ?? ""];
  if (driver === undefined)
    throw invalid(`the storage driver ${JSON.stringify(block.storage_driver)} is not known`, "job");
  if (driver === "nuon" && !block.helm_chart_id) throw invalid("the storage driver nuon needs helm_chart_id");
  if (kind === "apply" && !plan.apply_plan_contents) {
    throw invalid("an apply needs a saved plan (apply_plan_contents)");
  }
  const saved = kind === "apply" ? readSavedPlan(plan.apply_plan_contents ?? "") : null;
  const removes = kind === "plan-uninstall" || saved?.op === "uninstall";
  return {
    operation: kind,
    release: block.name,
    namespace: block.namespace || "default",
    createNamespace: block.create_namespace ?? false,
    driver,
    chartId: block.helm_chart_id ?? "",
    clusterInfo: block.cluster_info,
    source: removes ? null : deploySource(plan, invalid),
    path: sourcePath(plan, invalid),
    // In a plan the earlier file wins (nuon-handlers.md 9.8).
    valuesFiles: (block.values_files ?? []).filter((text) => text.trim() !== "").toReversed(),
    values: (block.values ?? []).map(singleValue),
    takeOwnership: block.take_ownership ?? false,
    options: optionsOf(block),
    saved,
  };
}

function singleValue(one: NonNullable<HelmDeployBlock["values"]>[number]): SingleValue {
  const { name, value, type, literal } = one;
  if (!name) throw invalid("one of its values has no name");
  if (type && type !== "auto" && type !== "string")
    throw invalid(`the type ${type} of the value ${name} is not known`, "job");
  return { name, value: value ?? "", type: type === "string" ? "string" : "auto", literal: literal ?? false };
}

/** A plan of Nuon's has no options: it waits for everything, and keeps to helm's own defaults otherwise. */
function optionsOf({ runner_options: given }: HelmDeployBlock): HelmOptions {
  const wait = nsToMs(given?.wait_timeout);
  return {
    version: given?.version || null,
    wait: given?.wait ?? true,
    waitForJobs: given?.wait_for_jobs ?? false,
    waitTimeoutMs: wait > 0 ? wait : null,
    rollbackOnFailure: given?.rollback_on_failure ?? false,
    forceConflicts: given?.force_conflicts ?? false,
    hooks: !(given?.no_hooks ?? false),
    historyLimit: given?.history_limit || HISTORY_LIMIT,
    recoverPending: given?.recover_pending ?? false,
  };
}
