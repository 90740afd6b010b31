import { failpoint, pausePoint } from "../../../kit/base/failpoint.ts";
import type { KubeObject } from "../../../kit/kube/index.ts";
import { inWaves } from "../../../kit/manifest/index.ts";
import { together } from "../kube/together.ts";
import { type Cluster, keyOf, type Located, labelOf, type ObjectRef } from "./cluster.ts";
import { conflictError, conflictsOf } from "./compare.ts";
import { writeInventory } from "./inventory.ts";
import type { Note } from "./planning.ts";
import { refusal } from "./refusal.ts";
import { applyObject, FORMER_MANAGER, readLive } from "./requests.ts";
import { isFormer, takeOver } from "./take-over.ts";
import { waitReady } from "./waiting.ts";

/** Definitions and namespaces are there within moments. */
const DEFINITION_MS = 60_000;

export interface ApplyOptions {
  readonly force: boolean;
  /** null: nothing is remembered. */
  readonly inventory: {
    readonly set: string;
    readonly namespace: string;
    readonly before: readonly ObjectRef[];
  } | null;
}

/**
 * Applies wave by wave; those of one wave together. Definitions are waited for, so that their objects find them. What
 * the set will own is noted before it is made: whatever happens in between, the next apply knows of it. Repeating all
 * of it changes nothing. Throws RunnerError; what was applied by then stays.
 */
export async function applyAll(
  cluster: Cluster,
  note: Note,
  objects: readonly Located[],
  { force, inventory }: ApplyOptions,
): Promise<void> {
  let noted = inventory === null;
  const remember = async () => {
    if (noted || inventory === null) return;
    const all = [...inventory.before, ...objects];
    noted = (await writeInventory(cluster, inventory.set, inventory.namespace, all)) === "written";
  };
  for (const wave of inWaves(objects, (one) => one)) {
    await remember();
    await together(wave, (object) => applyOne(cluster, note, object, force));
    failpoint("manifest.wave");
    await pausePoint("manifest.wave", cluster.signal);
    const made = wave.filter(({ kind }) => kind === "CustomResourceDefinition");
    if (made.length > 0) {
      await waitReady(cluster, note, made, DEFINITION_MS);
      cluster.finder.forget();
    }
  }
  await remember();
}

async function applyOne(cluster: Cluster, { log }: Note, object: Located, force: boolean): Promise<void> {
  const live = await readLive(cluster, object);
  if (!live.ok) throw refusal(object, live.error);
  if (live.value !== null && isFormer(live.value)) await takeOver(cluster, object, live.value);
  const answer = await applyObject(cluster, object, { dryRun: false, force });
  if (answer.ok) {
    log.info(`${labelOf(object)}: ${wordFor(live.value, answer.value)}`);
    return;
  }
  const others = conflictsOf(answer.error).filter(({ owner }) => owner !== FORMER_MANAGER);
  if (others.length > 0) throw conflictError(object, others);
  throw refusal(object, answer.error);
}

function wordFor(before: KubeObject | null, after: KubeObject): string {
  if (before === null) return "created";
  return before.metadata?.resourceVersion === after.metadata?.resourceVersion ? "unchanged" : "changed";
}

/** The set as it is after its prune. */
export const keptOf = (objects: readonly ObjectRef[], still: readonly ObjectRef[]): readonly ObjectRef[] => {
  const keys = new Set(objects.map(keyOf));
  return [...objects, ...still.filter((one) => !keys.has(keyOf(one)))];
};
