import { isRecord } from "../../../kit/diff/index.ts";
import type { KubeClient } from "../../../kit/kube/index.ts";
import { podSelector, podsPath } from "../kubejob/observe.ts";
import { listOf, type Pod, podShape, statusesOf } from "../kubejob/shapes.ts";
import type { Context } from "./helm-job.ts";
import type { ReleaseRecord } from "./release-records.ts";
import { type RenderedObject, renderingOf } from "./rendering.ts";

/** Hooks that helm runs around this operation: not those of tests or rollbacks, which may lie about from another day. */
export const hooksAround = (hooks: readonly RenderedObject[], operation: string): RenderedObject[] =>
  hooks.filter(({ body }) => {
    const metadata = isRecord(body.metadata) ? body.metadata : {};
    const annotations = isRecord(metadata.annotations) ? metadata.annotations : {};
    return new RegExp(`(pre|post)-${operation}\\b`).test(String(annotations["helm.sh/hook"] ?? ""));
  });

/** Hooks of a revision that have failed, or had not ended when helm gave up. */
export function unfinishedHooks(record: ReleaseRecord | undefined, namespace: string): readonly RenderedObject[] {
  const hooks = (record?.release.hooks ?? []).filter(({ last_run }) => /Failed|Running/.test(last_run?.phase ?? ""));
  return renderingOf({ manifest: "", hooks }, namespace, "release").hooks;
}

/** Last lines of each container that are shown, and how long is waited for them in milliseconds. */
const TAIL = 100;
const LIMIT_MS = 15_000;

/** What the pods of such hooks wrote last goes into the log of the job: helm says only that they failed. Never throws. */
export async function showHookLogs(ctx: Context, client: KubeClient, hooks: readonly RenderedObject[]): Promise<void> {
  const signal = AbortSignal.any([ctx.signal, AbortSignal.timeout(LIMIT_MS)]);
  for (const hook of hooks) {
    for (const pod of await podsOf(client, hook, signal)) {
      for (const { name, state } of statusesOf(pod)) {
        if (!state?.running && !state?.terminated) continue;
        const lines = await lastLines(client, hook.namespace, pod.metadata.name, name, signal);
        if (lines.length === 0) continue;
        ctx.log.error(`hook ${hook.name}: pod ${pod.metadata.name}, container ${name} wrote last:`);
        ctx.output(lines.map((line) => `${line}\n`).join(""));
      }
    }
  }
}

async function podsOf(client: KubeClient, hook: RenderedObject, signal: AbortSignal): Promise<readonly Pod[]> {
  const query =
    hook.kind === "Job" ? { labelSelector: podSelector(hook.name) } : { fieldSelector: `metadata.name=${hook.name}` };
  if (hook.kind !== "Job" && hook.kind !== "Pod") return [];
  const found = await client.request(
    { method: "GET", path: podsPath(hook.namespace), query, signal },
    listOf(podShape),
  );
  return found.ok ? found.value.items.filter(({ status }) => status?.phase !== "Succeeded") : [];
}

async function lastLines(
  client: KubeClient,
  namespace: string,
  pod: string,
  container: string,
  signal: AbortSignal,
): Promise<string[]> {
  try {
    const path = `${podsPath(namespace)}/${encodeURIComponent(pod)}/log`;
    return await Array.fromAsync(client.lines(path, { container, tailLines: TAIL }, signal));
  } catch {
    // Not allowed to read logs, or gone: the reason of the job stands without it.
    return [];
  }
}
