import { z } from "zod";
import type { KubeResource } from "../../../kit/kube/index.ts";
import { RunnerError } from "../../../protocol/errors.ts";
import { type Cluster, keyOf, type Located, labelOf, type ObjectRef } from "./cluster.ts";
import { refusal } from "./refusal.ts";
import { applyObject, readLive } from "./requests.ts";

/** What a set has applied, kept in the cluster itself: a ConfigMap in the namespace of the job. */
const entry = z.object({ apiVersion: z.string(), kind: z.string(), namespace: z.string(), name: z.string() });
const listed = z.array(entry);
const configMap = z.looseObject({ data: z.record(z.string(), z.string()).nullish() });

const CONFIG_MAPS: KubeResource = {
  apiVersion: "v1",
  kind: "ConfigMap",
  name: "configmaps",
  namespaced: true,
  verbs: [],
};
const KEY = "objects";
/** A ConfigMap holds 1 MiB. */
const LIMIT = 900_000;

/** The ConfigMap of a set. */
export const inventoryRef = (set: string, namespace: string): ObjectRef & { readonly resource: KubeResource } => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  namespace,
  name: `runner-set-${set}`,
  resource: CONFIG_MAPS,
});

/** What the set has applied so far; empty: nothing yet. Throws RunnerError. */
export async function readInventory(cluster: Cluster, set: string, namespace: string): Promise<readonly ObjectRef[]> {
  const ref = inventoryRef(set, namespace);
  const live = await readLive(cluster, ref);
  if (!live.ok) throw refusal(ref, live.error);
  if (live.value === null) return [];
  const text = configMap.parse(live.value).data?.[KEY];
  try {
    return listed.parse(JSON.parse(text ?? ""));
  } catch (cause) {
    throw new RunnerError("job", `${labelOf(ref)}: what it says of the set ${set} cannot be read`, {
      remedy: `Remove it (kubectl delete configmap ${ref.name} -n ${namespace}); then nothing is pruned this time.`,
      cause,
    });
  }
}

/** Notes what belongs to the set. "no namespace": the namespace is not there yet. Throws RunnerError. */
export async function writeInventory(
  cluster: Cluster,
  set: string,
  namespace: string,
  objects: readonly ObjectRef[],
): Promise<"written" | "no namespace"> {
  const ref = inventoryRef(set, namespace);
  const unique = new Map(objects.map((one) => [keyOf(one), one]));
  const text = JSON.stringify([...unique.values()].map((one) => entry.parse({ ...one })));
  if (text.length > LIMIT) {
    throw new RunnerError("job", `the set ${set} has ${unique.size} objects, more than a ConfigMap can name`, {
      remedy: "Split the manifest into several jobs, each with a set of its own.",
    });
  }
  const object: Located = {
    ...ref,
    pending: false,
    body: {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: {
        name: ref.name,
        namespace,
        labels: { "app.kubernetes.io/managed-by": "runner" },
        annotations: { "runner/about": "Objects that the last apply of this set made; see prune in docs/handlers." },
      },
      data: { [KEY]: text },
    },
  };
  const answer = await applyObject(cluster, object, { dryRun: false, force: true });
  if (answer.ok) return "written";
  if (answer.error.status === 404) return "no namespace";
  throw refusal(object, answer.error);
}
