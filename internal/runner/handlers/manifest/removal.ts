import type { KubeObject, KubeResource } from "../../../kit/kube/index.ts";
import { kubeObject, objectPath } from "../../../kit/kube/index.ts";
import { inWaves } from "../../../kit/manifest/index.ts";
import { RunnerError } from "../../../protocol/errors.ts";
import { together } from "../kube/together.ts";
import { type Cluster, groupOf, labelOf, type ObjectRef } from "./cluster.ts";
import { createDeadline } from "./deadline.ts";
import type { Propagation } from "./manifest-work.ts";
import type { Note } from "./planning.ts";
import { refusal } from "./refusal.ts";
import { readLive } from "./requests.ts";

/** An object that shall go. */
export interface Target extends ObjectRef {
  readonly resource: KubeResource;
  readonly uid: string;
  readonly live: KubeObject;
}

/** Those of `refs` that are there. A kind that the cluster no longer knows has no objects. Throws RunnerError. */
export async function existing(cluster: Cluster, refs: readonly ObjectRef[]): Promise<readonly Target[]> {
  const found = await together(refs, async (ref): Promise<Target | null> => {
    const kind = await cluster.finder.find(ref.apiVersion, ref.kind);
    if (!kind.ok) throw refusal(ref, kind.error);
    if (kind.value === null) return null;
    const live = await readLive(cluster, { ...ref, resource: kind.value });
    if (!live.ok) throw refusal({ ...ref, resource: kind.value }, live.error);
    if (live.value === null) return null;
    return { ...ref, resource: kind.value, uid: live.value.metadata?.uid ?? "", live: live.value };
  });
  return found.filter((one) => one !== null);
}

/**
 * Removes objects in the reverse order of their making and waits until each wave is gone before the next: a definition
 * outlives its objects, a namespace its content. What is gone already is fine; what somebody made anew under the same
 * name stays. Throws RunnerError.
 */
export async function remove(
  cluster: Cluster,
  note: Note,
  targets: readonly Target[],
  options: { readonly propagation: Propagation; readonly waitMs: number | null },
): Promise<void> {
  const deadline = createDeadline(cluster.signal, options.waitMs);
  for (const wave of inWaves(targets, (one) => one).reverse()) {
    const asked = await together([...wave].reverse(), (target) =>
      removeOne(cluster, note, target, options.propagation),
    );
    if (options.waitMs !== null)
      await waitGone(
        cluster,
        note,
        asked.filter((one) => one !== null),
        deadline,
      );
  }
}

async function removeOne(
  cluster: Cluster,
  { log }: Note,
  target: Target,
  propagation: Propagation,
): Promise<Target | null> {
  const answer = await cluster.client.request(
    {
      method: "DELETE",
      path: objectPath(target.resource, target.namespace, target.name),
      body: {
        kind: "DeleteOptions",
        apiVersion: "v1",
        // Foreground of what has no dependents is only slow: the collector must take a finalizer away first.
        propagationPolicy: propagation === "Foreground" && !mayOwn(target) ? "Background" : propagation,
        preconditions: { uid: target.uid },
      },
      signal: cluster.signal,
    },
    kubeObject,
  );
  if (answer.ok) {
    log.info(`removed ${labelOf(target)}`);
    return target;
  }
  if (answer.error.status === 404) return null;
  if (answer.error.status !== 409) throw refusal(target, answer.error);
  log.warn(`${labelOf(target)} was made anew since the plan; it stays`);
  return null;
}

/** Workloads own pods, and nobody knows what a custom resource owns. */
function mayOwn({ apiVersion }: ObjectRef): boolean {
  const group = groupOf(apiVersion);
  return group === "apps" || group === "batch" || (group.includes(".") && !group.endsWith(".k8s.io"));
}

async function waitGone(
  cluster: Cluster,
  { log }: Note,
  targets: readonly Target[],
  deadline: ReturnType<typeof createDeadline>,
): Promise<void> {
  let left: readonly { readonly target: Target; readonly live: KubeObject }[] = [];
  let said = "";
  for (let pending = targets; ; ) {
    const seen = await together(pending, async (target) => {
      const live = await readLive(cluster, target);
      if (!live.ok) throw refusal(target, live.error);
      const gone = live.value === null || live.value.metadata?.uid !== target.uid;
      return gone || live.value === null ? null : { target, live: live.value };
    });
    left = seen.filter((one) => one !== null);
    if (left.length === 0) return;
    const text = left
      .slice(0, 5)
      .map(({ target, live }) => `${labelOf(target)}${whyThere(live)}`)
      .join("; ");
    if (text !== said) log.info(`waiting until it is gone: ${text}`);
    said = text;
    pending = left.map(({ target }) => target);
    if (await deadline.pause()) continue;
    throw new RunnerError("job", `not gone after ${deadline.text}: ${text}`, {
      remedy: "Whoever set the finalizers named must let the object go; or give more time by wait_timeout.",
    });
  }
}

/** Finalizers, and what a namespace says holds it. */
function whyThere(live: KubeObject): string {
  const finalizers = live.metadata?.finalizers;
  const held = Array.isArray(finalizers) && finalizers.length > 0 ? [`finalizers ${finalizers.join(", ")}`] : [];
  const why = [...held, ...namespaceWords(live)];
  return why.length === 0 ? "" : ` (${why.join("; ")})`;
}

function namespaceWords({ kind, status }: KubeObject): string[] {
  if (kind !== "Namespace" || typeof status !== "object" || status === null || !("conditions" in status)) return [];
  const { conditions } = status;
  if (!Array.isArray(conditions)) return [];
  return conditions
    .filter((one) => one?.status === "True" && /Remaining|Failure/.test(String(one?.type)))
    .map((one) => String(one.message));
}
