import { systemClock } from "../../../kit/base/clock.ts";
import { type KubeClient, kubeObject, objectPath, type ResourceFinder } from "../../../kit/kube/index.ts";
import type { RetryRule } from "../../../protocol/retry.ts";
import type { JobLog } from "../../handler.ts";
import { together } from "../kube/together.ts";
import { explainedReadiness } from "../kube/trouble.ts";
import type { RenderedObject } from "./rendering.ts";

/** How often the cluster is asked, milliseconds. */
const EVERY_MS = 3_000;

export interface Watched {
  readonly client: KubeClient;
  readonly finder: ResourceFinder;
  readonly signal: AbortSignal;
}

/** Says in the log what helm is waiting for while `work` runs, whenever that changes. Throws what `work` throws. */
export async function withProgress<T>(
  deps: Watched & { readonly log: JobLog },
  objects: readonly RenderedObject[],
  work: () => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  const watching = watch({ ...deps, signal: AbortSignal.any([deps.signal, over.signal]) }, objects);
  try {
    return await work();
  } finally {
    over.abort();
    await watching;
  }
}

async function watch(deps: Watched & { readonly log: JobLog }, objects: readonly RenderedObject[]): Promise<void> {
  let shown = "";
  for (;;) {
    await systemClock.sleep(EVERY_MS, deps.signal);
    if (deps.signal.aborted) return;
    const lines = await notReady(deps, objects);
    if (deps.signal.aborted) return;
    const text = lines.join("\n");
    if (text !== shown) for (const line of lines) deps.log.info(`waiting for ${line}`);
    shown = text;
  }
}

/** Kinds that become ready by and by. Others are as soon as they are there. */
const WAITED = ["Deployment", "StatefulSet", "DaemonSet", "Job", "Pod", "PersistentVolumeClaim", "Service"];

/** Asked again in a moment anyway. */
const ONCE: RetryRule = { tries: 1, timeout_ms: 10_000, base_ms: 0, cap_ms: 0 };

/** What is there and not ready yet and why, one line each. What the cluster does not say is left out: helm itself will. */
export async function notReady(deps: Watched, objects: readonly RenderedObject[]): Promise<string[]> {
  const client: KubeClient = {
    ...deps.client,
    request: (request, schema) => deps.client.request({ ...request, rule: ONCE }, schema),
  };
  const waited = objects.filter((one) => WAITED.includes(one.kind));
  const lines = await together(waited, async (one) => (await lineOf({ ...deps, client }, one)) ?? []).catch(() => []);
  return lines.flat();
}

async function lineOf(deps: Watched, object: RenderedObject): Promise<string | null> {
  const resource = await deps.finder.find(object.apiVersion, object.kind);
  if (!resource.ok || resource.value === null) return null;
  const path = objectPath(resource.value, object.namespace, object.name);
  const live = await deps.client.request({ method: "GET", path, signal: deps.signal }, kubeObject);
  if (!live.ok) return null;
  const { state, why } = await explainedReadiness(deps, live.value);
  return state === "ready" ? null : `${object.kind} ${object.name}: ${why}`;
}
