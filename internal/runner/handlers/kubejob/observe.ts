import { systemClock } from "../../../kit/base/clock.ts";
import { isNotFound, type KubeClient, type KubeError } from "../../../kit/kube/index.ts";
import { type Bell, createBell } from "../../../kit/logs/bell.ts";
import { RunnerError } from "../../../protocol/errors.ts";
import {
  eventShape,
  type Job,
  jobShape,
  type KubeEvent,
  type Look,
  listOf,
  type Pod,
  podShape,
  statusesOf,
} from "./shapes.ts";

/** Looked at this often although no watch says that something changed. */
const LOOK_MS = 5_000;
/** Changes come in bursts. */
const CALM_MS = 100;
const REWATCH_MS = 1_000;

export interface ObserveDeps {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly name: string;
  readonly say: (text: string) => void;
}

/**
 * Shows the Job to `seen` whenever it or one of its pods changed, until that answers something. A watch only wakes us:
 * what counts is read whole, so that a cut watch loses nothing. Throws KubeError when the cluster refuses; an
 * unreachable one is waited for. Aborting `signal` ends it with null.
 */
export async function observe<T>(
  deps: ObserveDeps,
  seen: (look: Look) => Promise<T | null>,
  signal: AbortSignal,
): Promise<T | null> {
  const bell = createBell(systemClock);
  const over = new AbortController();
  const ring = () => bell.ring();
  signal.addEventListener("abort", ring, { once: true });
  const both = AbortSignal.any([signal, over.signal]);
  const jobs = `${jobsPath(deps.namespace)}`;
  void watch(deps, jobs, { fieldSelector: `metadata.name=${deps.name}` }, bell, both);
  void watch(deps, podsPath(deps.namespace), { labelSelector: podSelector(deps.name) }, bell, both);
  let away = false;
  let doubts = 0;
  try {
    while (!signal.aborted) {
      const look = await lookAt(deps, signal);
      if (look.ok) {
        if (away) deps.say("the cluster answers again");
        away = false;
        doubts = 0;
        const answer = await seen(look.value);
        if (answer !== null) return answer;
      } else if (!signal.aborted) {
        if (isNotFound(look.error)) throw deletedByOther();
        // One refusal may be a token that was just renewed.
        if (look.error.status !== null && look.error.status < 500 && look.error.status !== 429 && ++doubts > 2)
          throw look.error;
        if (look.error.status === null && !away) {
          away = true;
          deps.say(`${look.error.message}; the Job goes on, its state is asked again`);
        }
      }
      await bell.wait(LOOK_MS);
      await systemClock.sleep(CALM_MS, signal);
    }
    return null;
  } finally {
    over.abort();
    signal.removeEventListener("abort", ring);
  }
}

export const jobsPath = (namespace: string, name?: string) =>
  `/apis/batch/v1/namespaces/${encodeURIComponent(namespace)}/jobs${name === undefined ? "" : `/${name}`}`;
export const podsPath = (namespace: string) => `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`;
export const podSelector = (name: string) => `batch.kubernetes.io/job-name=${name}`;

const deletedByOther = () =>
  new RunnerError("job", "the Kubernetes Job was deleted while the runner waited for it", {
    remedy: "Somebody or something in the cluster removed it; its audit log knows who.",
  });

async function watch(
  { client }: ObserveDeps,
  path: string,
  query: Readonly<Record<string, string>>,
  bell: Bell,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const lines = client.lines(path, { ...query, watch: "1", timeoutSeconds: "300" }, signal);
      for await (const _ of lines) bell.ring();
    } catch {
      // Not allowed or cut: the regular look finds what changed.
    }
    await systemClock.sleep(REWATCH_MS, signal);
  }
}

type Looked = { readonly ok: true; readonly value: Look } | { readonly ok: false; readonly error: KubeError };

async function lookAt({ client, namespace, name }: ObserveDeps, signal: AbortSignal): Promise<Looked> {
  const job = await client.request({ method: "GET", path: jobsPath(namespace, name), signal }, jobShape);
  if (!job.ok) return job;
  const query = { labelSelector: podSelector(name) };
  const pods = await client.request({ method: "GET", path: podsPath(namespace), query, signal }, listOf(podShape));
  if (!pods.ok) return pods;
  const sorted = [...pods.value.items].sort((a, b) =>
    (a.metadata.creationTimestamp ?? "").localeCompare(b.metadata.creationTimestamp ?? ""),
  );
  const warnings = await warningsOf(client, namespace, job.value, sorted, signal);
  return { ok: true, value: { job: job.value, pods: sorted, warnings } };
}

/** Asked only while something has not started. Who may not read events gets fewer words, no error. */
async function warningsOf(
  client: KubeClient,
  namespace: string,
  job: Job,
  pods: readonly Pod[],
  signal: AbortSignal,
): Promise<readonly KubeEvent[]> {
  const last = pods.at(-1);
  const started = last !== undefined && statusesOf(last).some(({ state }) => state?.running || state?.terminated);
  const about = last === undefined ? job.metadata?.uid : last.metadata.uid;
  if (started || about === undefined) return [];
  const query = { fieldSelector: `involvedObject.uid=${about},type=Warning` };
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/events`;
  const events = await client.request({ method: "GET", path, query, signal }, listOf(eventShape));
  return events.ok ? [...events.value.items].sort((a, b) => timeOf(a).localeCompare(timeOf(b))) : [];
}

const timeOf = (event: KubeEvent) => event.lastTimestamp ?? event.eventTime ?? event.metadata?.creationTimestamp ?? "";
