import { z } from "zod";
import { basePath, type KubeClient, type KubeObject } from "../../../kit/kube/index.ts";
import { type Readiness, readinessOf } from "../../../kit/manifest/index.ts";

const text = z.string().nullish();
const containerStatus = z.looseObject({
  name: z.string(),
  state: z
    .looseObject({
      waiting: z.looseObject({ reason: text, message: text }).nullish(),
      terminated: z.looseObject({ reason: text, exitCode: z.number().nullish() }).nullish(),
    })
    .nullish(),
  lastState: z
    .looseObject({ terminated: z.looseObject({ reason: text, exitCode: z.number().nullish() }).nullish() })
    .nullish(),
});
const pod = z.looseObject({
  metadata: z.looseObject({ name: z.string() }),
  status: z
    .looseObject({
      conditions: z
        .array(z.looseObject({ type: z.string(), status: z.string(), reason: text, message: text }))
        .nullish(),
      containerStatuses: z.array(containerStatus).nullish(),
      initContainerStatuses: z.array(containerStatus).nullish(),
    })
    .nullish(),
});
type Pod = z.infer<typeof pod>;
const event = z.looseObject({ type: text, reason: text, message: text, lastTimestamp: text, eventTime: text });

interface Cluster {
  readonly client: KubeClient;
  readonly signal: AbortSignal;
}

/** Whether an object as the cluster has it is ready, and why not: `0 of 2 available: pod web-x: container app: ErrImagePull`. */
export async function explainedReadiness(cluster: Cluster, live: KubeObject): Promise<Readiness> {
  const readiness = readinessOf(live);
  if (readiness.state === "ready") return readiness;
  // A volume of a class that is bound with its first pod is not bound before, and that is right.
  if (live.kind === "PersistentVolumeClaim" && (await waitsForConsumer(cluster, live))) {
    return { state: "ready", why: "" };
  }
  const trouble = (await podsTrouble(cluster, live)) || (await warningOf(cluster, live));
  return trouble === "" ? readiness : { ...readiness, why: `${readiness.why}: ${trouble}` };
}

/** In the words of its pods; empty when they say nothing or may not be read. */
async function podsTrouble(cluster: Cluster, live: KubeObject): Promise<string> {
  const selector = selectorOf(live);
  const namespace = live.metadata?.namespace ?? "";
  if (live.kind === "Pod") {
    const parsed = pod.safeParse(live);
    return parsed.success ? podTrouble(parsed.data) : "";
  }
  if (selector === "" || namespace === "") return "";
  for (const one of await podsOf(cluster, namespace, selector)) {
    const said = podTrouble(one);
    if (said !== "") return `pod ${one.metadata.name}: ${said}`;
  }
  return "";
}

const waitsForConsumer = async (cluster: Cluster, live: KubeObject): Promise<boolean> =>
  (await eventsOf(cluster, live)).some(({ reason }) => reason === "WaitForFirstConsumer");

async function warningOf(cluster: Cluster, live: KubeObject): Promise<string> {
  const last = (await eventsOf(cluster, live)).findLast(({ type }) => type === "Warning");
  return last === undefined ? "" : oneLine([last.reason, last.message]);
}

const selected = z.looseObject({
  spec: z.looseObject({ selector: z.looseObject({ matchLabels: z.record(z.string(), z.string()).nullish() }) }),
});

function selectorOf(live: KubeObject): string {
  const parsed = selected.safeParse(live);
  const labels = parsed.success ? (parsed.data.spec.selector.matchLabels ?? {}) : {};
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
}

async function podsOf(cluster: Cluster, namespace: string, labelSelector: string): Promise<readonly Pod[]> {
  const answer = await cluster.client.request(
    {
      method: "GET",
      path: `${basePath("v1")}/namespaces/${encodeURIComponent(namespace)}/pods`,
      query: { labelSelector, limit: 50 },
      signal: cluster.signal,
    },
    z.looseObject({ items: z.array(pod) }),
  );
  return answer.ok ? answer.value.items : [];
}

async function eventsOf(cluster: Cluster, live: KubeObject) {
  const namespace = live.metadata?.namespace || "default";
  const answer = await cluster.client.request(
    {
      method: "GET",
      path: `${basePath("v1")}/namespaces/${encodeURIComponent(namespace)}/events`,
      query: { fieldSelector: `involvedObject.uid=${live.metadata?.uid ?? ""}`, limit: 100 },
      signal: cluster.signal,
    },
    z.looseObject({ items: z.array(event) }),
  );
  const at = (one: z.infer<typeof event>) => one.lastTimestamp || one.eventTime || "";
  return answer.ok ? answer.value.items.sort((a, b) => (at(a) < at(b) ? -1 : 1)) : [];
}

/** Words of a pod that is simply on its way. */
const USUAL = ["ContainerCreating", "PodInitializing"];

function podTrouble({ status }: Pod): string {
  const unplaced = status?.conditions?.find((one) => one.type === "PodScheduled" && one.status === "False");
  if (unplaced) return oneLine([unplaced.reason, unplaced.message]);
  for (const { name, state, lastState } of [
    ...(status?.initContainerStatuses ?? []),
    ...(status?.containerStatuses ?? []),
  ]) {
    const { reason, message } = state?.waiting ?? {};
    const ended = state?.terminated ?? lastState?.terminated;
    if (reason && !USUAL.includes(reason)) {
      const code = reason === "CrashLoopBackOff" && ended ? `it exits with ${ended.exitCode}` : message;
      return `container ${name}: ${oneLine([reason, code])}`;
    }
    if (state?.terminated && state.terminated.exitCode !== 0) {
      return `container ${name}: ${oneLine([state.terminated.reason, `exit code ${state.terminated.exitCode}`])}`;
    }
  }
  return "";
}

const oneLine = (parts: readonly (string | null | undefined)[]) =>
  parts.filter(Boolean).join(": ").replace(/\s+/g, " ").slice(0, 400);
