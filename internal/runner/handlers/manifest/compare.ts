import { z } from "zod";
import type { KubeError, KubeObject } from "../../../kit/kube/index.ts";
import { RunnerError } from "../../../protocol/errors.ts";
import type { ResourceDiff } from "../../../protocol/nuon/resource-diffs.ts";
import { type Cluster, type Located, labelOf } from "./cluster.ts";
import { refusal } from "./refusal.ts";
import { applyObject, FORMER_MANAGER, readLive } from "./requests.ts";
import { resourceDiff } from "./resource-entries.ts";
import { isFormer } from "./take-over.ts";

/** What applying one object would change, as the cluster itself says. */
export interface Comparison {
  readonly object: Located;
  readonly live: KubeObject | null;
  /** As it would be afterwards. */
  readonly wanted: Readonly<Record<string, unknown>>;
  readonly diff: ResourceDiff;
  /** Fields that are taken from others. */
  readonly taken: readonly Conflict[];
}

export interface Conflict {
  /** Such as `.spec.replicas`. */
  readonly field: string;
  readonly owner: string;
}

const NO_KIND = "cannot be checked before its definition exists";
const NO_NAMESPACE = "cannot be checked before its namespace exists";

export interface CompareOptions {
  readonly force: boolean;
  /** Namespaces that the same manifest makes. */
  readonly made: ReadonlySet<string>;
}

/** A controller that writes all the time does not hold up a plan for ever. */
const LOOKS = 5;

/**
 * Compares by a dry run of the cluster. What a controller writes between the read and the dry run is no change of ours:
 * then both are asked again. Throws RunnerError when the cluster refuses the object, or fields of it belong to others and
 * may not be taken.
 */
export async function compare(cluster: Cluster, object: Located, options: CompareOptions): Promise<Comparison> {
  for (let look = 1; ; look++) {
    const comparison = await compareOnce(cluster, object, options);
    const { live, wanted } = comparison;
    if (look >= LOOKS || live === null || versionOf(live) === versionOf(wanted)) return comparison;
  }
}

const seen = z.looseObject({ metadata: z.looseObject({ resourceVersion: z.string().nullish() }) });
const versionOf = (object: unknown) => seen.safeParse(object).data?.metadata.resourceVersion ?? null;

async function compareOnce(cluster: Cluster, object: Located, options: CompareOptions): Promise<Comparison> {
  const unchecked = (note: string): Comparison => {
    const diff = resourceDiff(object, "apply", null, object.body, note);
    return { object, live: null, wanted: object.body, diff, taken: [] };
  };
  if (object.pending) return unchecked(NO_KIND);
  const live = await readLive(cluster, object);
  if (!live.ok) throw refusal(object, live.error);
  // What the Go runner owns is ours: asked under its name the cluster shows what becomes of it.
  const manager = isFormer(live.value) ? { manager: FORMER_MANAGER } : {};
  const tried = await applyObject(cluster, object, { dryRun: true, force: false, ...manager });
  if (tried.ok) return compared(object, live.value, tried.value, []);
  if (isMissingNamespace(tried.error) && options.made.has(object.namespace)) return unchecked(NO_NAMESPACE);
  const conflicts = conflictsOf(tried.error);
  if (conflicts.length === 0) throw refusal(object, tried.error);
  const others = conflicts.filter(({ owner }) => owner !== FORMER_MANAGER);
  if (others.length > 0 && !options.force) throw conflictError(object, others);
  const forced = await applyObject(cluster, object, { dryRun: true, force: true, ...manager });
  if (!forced.ok) throw refusal(object, forced.error);
  return compared(object, live.value, forced.value, others);
}

function compared(
  object: Located,
  live: KubeObject | null,
  wanted: KubeObject,
  taken: readonly Conflict[],
): Comparison {
  const note = taken.length === 0 ? "" : `takes ${taken.map(conflictText).join(", ")}`;
  return { object, live, wanted, taken, diff: resourceDiff(object, "apply", live, wanted, note) };
}

const isMissingNamespace = (error: KubeError) =>
  error.status === 404 && /^.*namespaces? ".*" not found/.test(error.message);

/** Fields that others own; empty: it failed for another reason. */
export function conflictsOf(error: KubeError): readonly Conflict[] {
  if (error.status !== 409) return [];
  return error.causes
    .filter(({ reason }) => reason === "FieldManagerConflict")
    .map(({ field, message }) => ({ field, owner: /^conflict with "([^"]*)"/.exec(message)?.[1] ?? message }));
}

const conflictText = ({ field, owner }: Conflict) => `${field} from ${owner}`;

export function conflictError(object: Located, conflicts: readonly Conflict[]): RunnerError {
  const shown = conflicts.slice(0, 10).map(({ field, owner }) => `${field} (${owner})`);
  const more = conflicts.length > shown.length ? ` and ${conflicts.length - shown.length} more` : "";
  return new RunnerError("job", `${labelOf(object)}: fields belong to others: ${shown.join(", ")}${more}`, {
    remedy: "Leave those fields out of the manifest, or take them with force_conflicts: true.",
  });
}
