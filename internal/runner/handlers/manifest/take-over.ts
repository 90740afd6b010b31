import { isRecord } from "../../../kit/diff/index.ts";
import type { KubeObject } from "../../../kit/kube/index.ts";
import { RunnerError } from "../../../protocol/errors.ts";
import { type Cluster, type Located, labelOf } from "./cluster.ts";
import { refusal } from "./refusal.ts";
import {
  FORMER_MANAGER,
  isApplyOf,
  MANAGER,
  type ManagedEntry,
  managedFields,
  patchObject,
  readLive,
} from "./requests.ts";

const TRIES = 5;

/** Whether an object is still noted as the Go runner's. */
export const isFormer = (live: KubeObject | null): boolean =>
  live !== null && managedFields(live).some((entry) => isApplyOf(entry, FORMER_MANAGER));

/**
 * Writes the Go runner's fields over to us. Without it every change of them would be a conflict with ourselves, and
 * fields that a manifest drops would stay for ever. Nothing else of the object changes. Throws RunnerError.
 */
export async function takeOver(cluster: Cluster, object: Located, first: KubeObject): Promise<void> {
  let live: KubeObject | null = first;
  for (let tried = 1; live !== null && isFormer(live); tried++) {
    const body = [
      { op: "test", path: "/metadata/resourceVersion", value: live.metadata?.resourceVersion },
      { op: "replace", path: "/metadata/managedFields", value: handedOver(managedFields(live)) },
    ];
    const answer = await patchObject(cluster, object, { type: "application/json-patch+json", body });
    if (answer.ok) return;
    // The test failed: it was written in between.
    if (answer.error.status !== 422 && answer.error.status !== 409) throw refusal(object, answer.error);
    if (tried >= TRIES) throw new RunnerError("job", `${labelOf(object)} changes too often to be taken over`);
    const again = await readLive(cluster, object);
    if (!again.ok) throw refusal(object, again.error);
    live = again.value;
  }
}

function handedOver(entries: readonly ManagedEntry[]): ManagedEntry[] {
  const former = entries.filter((entry) => isApplyOf(entry, FORMER_MANAGER));
  const own = entries.find((entry) => isApplyOf(entry, MANAGER));
  const base = own ?? former[0];
  if (base === undefined) return [...entries];
  const fields = former
    .filter((entry) => entry.apiVersion === base.apiVersion)
    .reduce<Record<string, unknown>>((all, entry) => merged(all, entry.fieldsV1 ?? {}), { ...base.fieldsV1 });
  const others = entries.filter((entry) => entry !== own && !former.includes(entry));
  return [...others, { ...base, manager: MANAGER, fieldsV1: fields }];
}

function merged(a: Record<string, unknown>, b: Record<string, unknown>): Record<string, unknown> {
  const all = { ...a };
  for (const [key, value] of Object.entries(b)) {
    const there = all[key];
    all[key] = isRecord(there) && isRecord(value) ? merged(there, value) : value;
  }
  return all;
}
