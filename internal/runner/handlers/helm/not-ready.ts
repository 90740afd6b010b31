import { z } from "zod";
import { type KubeClient, objectPath, type ResourceFinder } from "../../../kit/kube/index.ts";
import type { RetryRule } from "../../../protocol/retry.ts";
import type { RenderedObject } from "./rendering.ts";

const count = z.number().int().nullish();
const workload = z.looseObject({
  metadata: z.looseObject({ generation: count }),
  spec: z
    .looseObject({
      replicas: count,
      completions: count,
      selector: z.looseObject({ matchLabels: z.record(z.string(), z.string()).nullish() }).nullish(),
    })
    .nullish(),
  status: z
    .looseObject({
      observedGeneration: count,
      updatedReplicas: count,
      readyReplicas: count,
      desiredNumberScheduled: count,
      numberReady: count,
      succeeded: count,
      failed: count,
      phase: z.string().nullish(),
      conditions: z
        .array(z.looseObject({ type: z.string(), status: z.string(), message: z.string().nullish() }))
        .nullish(),
    })
    .nullish(),
});
type Workload = z.infer<typeof workload>;

const containerState = z.looseObject({
  name: z.string(),
  ready: z.boolean().nullish(),
  state: z
    .looseObject({
      waiting: z.looseObject({ reason: z.string().nullish(), message: z.string().nullish() }).nullish(),
      terminated: z.looseObject({ reason: z.string().nullish(), exitCode: count }).nullish(),
    })
    .nullish(),
});
const podList = z.looseObject({
  items: z.array(
    z.looseObject({
      metadata: z.looseObject({ name: z.string() }),
      status: z
        .looseObject({
          phase: z.string().nullish(),
          conditions: z
            .array(z.looseObject({ type: z.string(), status: z.string(), message: z.string().nullish() }))
            .nullish(),
          initContainerStatuses: z.array(containerState).nullish(),
          containerStatuses: z.array(containerState).nullish(),
        })
        .nullish(),
    }),
  ),
});
const eventList = z.looseObject({
  items: z.array(
    z.looseObject({
      involvedObject: z.looseObject({ name: z.string().nullish() }),
      reason: z.string().nullish(),
      message: z.string().nullish(),
      lastTimestamp: z.string().nullish(),
    }),
  ),
});

/** Kinds that become ready by and by. Others are as soon as they are there. */
const WAITED = ["Deployment", "StatefulSet", "DaemonSet", "Job", "Pod", "PersistentVolumeClaim"];
const MESSAGE = 200;

export interface Readiness {
  readonly client: KubeClient;
  readonly finder: ResourceFinder;
  readonly signal: AbortSignal;
}

/** What is not ready yet and why, one line each; empty when everything is, or when the cluster does not say. */
export async function notReady(deps: Readiness, objects: readonly RenderedObject[]): Promise<string[]> {
  const lines = await Promise.all(objects.filter((one) => WAITED.includes(one.kind)).map((one) => lineOf(deps, one)));
  return lines.filter((line) => line !== null);
}

async function lineOf(deps: Readiness, object: RenderedObject): Promise<string | null> {
  const resource = await deps.finder.find(object.apiVersion, object.kind);
  if (!resource.ok || resource.value === null) return null;
  const path = objectPath(resource.value, object.namespace, object.name);
  const read = await deps.client.request({ method: "GET", path, signal: deps.signal, rule: ONCE }, workload);
  if (!read.ok) return null;
  const state = stateOf(object.kind, read.value);
  if (state === null) return null;
  const why = await whyOf(deps, object, read.value);
  return [`${object.kind} ${object.name}: ${state}`, ...why].join("; ");
}

/** Asked again in a moment anyway. */
const ONCE: RetryRule = { tries: 1, timeout_ms: 10_000, base_ms: 0, cap_ms: 0 };

/** null: it is ready. */
function stateOf(kind: string, { metadata, spec, status }: Workload): string | null {
  if (kind === "PersistentVolumeClaim") return status?.phase === "Bound" ? null : `is ${status?.phase ?? "new"}`;
  if (kind === "Pod")
    return status?.phase === "Running" || status?.phase === "Succeeded" ? null : `is ${status?.phase ?? "new"}`;
  if (kind === "Job") {
    const wanted = spec?.completions ?? 1;
    const done = status?.succeeded ?? 0;
    const failed = status?.failed ? `, ${status.failed} failed` : "";
    return done >= wanted ? null : `${done}/${wanted} completed${failed}`;
  }
  const wanted = kind === "DaemonSet" ? (status?.desiredNumberScheduled ?? 1) : (spec?.replicas ?? 1);
  const ready = (kind === "DaemonSet" ? status?.numberReady : status?.readyReplicas) ?? 0;
  const seen = (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0);
  const updated = kind === "DaemonSet" ? wanted : (status?.updatedReplicas ?? 0);
  if (seen && ready >= wanted && updated >= wanted) return null;
  return `${ready}/${wanted} ready${updated < wanted ? `, ${updated} updated` : ""}`;
}

async function whyOf(deps: Readiness, object: RenderedObject, found: Workload): Promise<string[]> {
  const labels = found.spec?.selector?.matchLabels ?? (object.kind === "Job" ? { "job-name": object.name } : null);
  const pods = labels === null ? [] : await podReasons(deps, object.namespace, labels);
  return pods.length > 0 ? pods : await warnings(deps, object);
}

async function podReasons(
  deps: Readiness,
  namespace: string,
  labels: Readonly<Record<string, string>>,
): Promise<string[]> {
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`;
  const labelSelector = Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
  const list = await deps.client.request(
    { method: "GET", path, query: { labelSelector, limit: 50 }, signal: deps.signal, rule: ONCE },
    podList,
  );
  if (!list.ok) return [];
  const reasons = list.value.items.flatMap(({ metadata, status }) => {
    const containers = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
    const stuck = containers.flatMap(({ name, state, ready }) => {
      const { waiting, terminated } = state ?? {};
      if (waiting?.reason && waiting.reason !== "PodInitializing") {
        return [`container ${name}: ${waiting.reason}${waiting.message ? ` (${short(waiting.message)})` : ""}`];
      }
      return terminated?.exitCode && !ready
        ? [`container ${name}: exited with ${terminated.exitCode} (${terminated.reason ?? ""})`]
        : [];
    });
    const unscheduled = status?.conditions?.find(
      (one) => one.type === "PodScheduled" && one.status === "False",
    )?.message;
    const all = [...stuck, ...(unscheduled ? [`not scheduled: ${short(unscheduled)}`] : [])];
    return all.map((reason) => `pod ${metadata.name}: ${reason}`);
  });
  return reasons.slice(0, 3);
}

/** Why there is no pod: a quota, a missing account. */
async function warnings(deps: Readiness, { namespace, name }: RenderedObject): Promise<string[]> {
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/events`;
  const query = { fieldSelector: "type=Warning", limit: 200 };
  const list = await deps.client.request({ method: "GET", path, query, signal: deps.signal, rule: ONCE }, eventList);
  if (!list.ok) return [];
  const mine = list.value.items.filter(
    ({ involvedObject }) => involvedObject.name === name || involvedObject.name?.startsWith(`${name}-`),
  );
  const last = mine.toSorted((a, b) => (a.lastTimestamp ?? "").localeCompare(b.lastTimestamp ?? "")).at(-1);
  return last === undefined ? [] : [`${last.reason ?? "warning"}: ${short(last.message ?? "")}`];
}

const short = (text: string) => text.replace(/\s+/g, " ").trim().slice(0, MESSAGE);
