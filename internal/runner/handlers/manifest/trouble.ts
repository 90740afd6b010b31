import { z } from "zod";
import { basePath, type KubeObject } from "../../../kit/kube/index.ts";
import type { Cluster, Located } from "./cluster.ts";

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

/** Why an object is not ready, in the words of its pods and events; empty when they say nothing or may not be read. */
export async function troubleOf(cluster: Cluster, object: Located, live: KubeObject): Promise<string> {
  const selector = selectorOf(live);
  if (selector !== "" && object.namespace !== "") {
    for (const one of await podsOf(cluster, object.namespace, selector)) {
      const said = podTrouble(one);
      if (said !== "") return `pod ${one.metadata.name}: ${said}`;
    }
  }
  const warnings = (await eventsOf(cluster, object, live)).filter(({ type }) => type === "Warning");
  const last = warnings.at(-1);
  return last === undefined ? "" : oneLine([last.reason, last.message]);
}

/** A volume of a class that is bound with its first pod is not bound before, and that is right. */
export async function waitsForConsumer(cluster: Cluster, object: Located, live: KubeObject): Promise<boolean> {
  return (await eventsOf(cluster, object, live)).some(({ reason }) => reason === "WaitForFirstConsumer");
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

async function eventsOf(cluster: Cluster, object: Located, live: KubeObject) {
  const namespace = object.namespace || "default";
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
