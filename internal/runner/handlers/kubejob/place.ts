import { systemClock } from "../../../kit/base/clock.ts";
import { isNotFound, type KubeClient, KubeError, kubeObject } from "../../../kit/kube/index.ts";
import { RunnerError } from "../../../protocol/errors.ts";
import { type JobIdentity, LABELS } from "./job-object.ts";
import { jobsPath } from "./observe.ts";
import { conditionOf, type Job, jobShape, listOf } from "./shapes.ts";

/** A Job of ours and its Secret in one namespace. */
export interface Place {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly identity: JobIdentity;
}

const secretsPath = (namespace: string, name?: string) =>
  `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets${name === undefined ? "" : `/${name}`}`;

/** null: there is none (yet). Throws KubeError. */
export async function findJob({ client, namespace, identity }: Place, signal?: AbortSignal): Promise<Job | null> {
  const path = jobsPath(namespace, identity.name);
  const found = await client.request({ method: "GET", path, ...(signal ? { signal } : {}) }, jobShape);
  if (found.ok) return found.value;
  if (isNotFound(found.error)) return null;
  throw found.error;
}

/** The Secret of the variables; one that is there from before a restart is as good. Throws KubeError. */
export async function createSecret(
  { client, namespace, identity }: Place,
  values: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<void> {
  const body = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: identity.name, namespace, labels: identity.labels },
    type: "Opaque",
    stringData: values,
  };
  const made = await client.request({ method: "POST", path: secretsPath(namespace), body, signal }, kubeObject);
  if (!made.ok && made.error.reason !== "AlreadyExists") throw made.error;
}

/** Throws KubeError with the fields the cluster refuses. */
export async function createJob(place: Place, body: Record<string, unknown>, signal: AbortSignal): Promise<Job> {
  const { client, namespace } = place;
  const query = { fieldValidation: "Strict" };
  const made = await client.request({ method: "POST", path: jobsPath(namespace), query, body, signal }, jobShape);
  if (made.ok) return made.value;
  // A lost answer, or one from before a restart: what counts is whether it is there.
  if (made.error.status === null || made.error.reason === "AlreadyExists") {
    const there = await findJob(place, signal);
    if (there !== null) return there;
  }
  throw made.error;
}

/** From here on the Secret goes when its Job goes, whoever removes that. */
export async function giveSecretToJob(
  { client, namespace, identity }: Place,
  job: Job,
  signal: AbortSignal,
): Promise<void> {
  const owner = { apiVersion: "batch/v1", kind: "Job", name: identity.name, uid: job.metadata?.uid };
  const path = secretsPath(namespace, identity.name);
  const body = { metadata: { ownerReferences: [owner] } };
  const type = "application/merge-patch+json";
  const given = await client.request({ method: "PATCH", path, body, type, signal }, kubeObject);
  if (!given.ok) throw given.error;
}

/** An older attempt that a lost runner left at work is ended before the next one begins. */
export async function endOlderAttempts(place: Place, signal: AbortSignal, say: (text: string) => void): Promise<void> {
  const { client, namespace, identity } = place;
  const query = { labelSelector: `${LABELS.job}=${identity.labels[LABELS.job]}` };
  const list = await client.request({ method: "GET", path: jobsPath(namespace), query, signal }, listOf(jobShape));
  if (!list.ok) {
    if (list.error.status !== 403) throw list.error;
    return say(`older attempts cannot be looked for: ${list.error.message}`);
  }
  const older = list.value.items.filter(
    (job) => job.metadata?.name !== identity.name && !conditionOf(job, "Complete") && !conditionOf(job, "Failed"),
  );
  for (const job of older) {
    const name = job.metadata?.name ?? "";
    say(`ending the Kubernetes Job ${name} of an older attempt`);
    await removeJob(place, name, signal);
    if (!(await untilGone(place, name, 120_000, signal))) {
      throw new RunnerError("job", `the Kubernetes Job ${name} of an older attempt does not end`, {
        remedy: "See what holds its pods (kubectl describe pod); two attempts never run at once.",
      });
    }
  }
}

/** Asks for the removal of the Job with its pods, pods first. */
export async function removeJob({ client, namespace }: Place, name: string, signal?: AbortSignal): Promise<void> {
  const path = jobsPath(namespace, name);
  const body = { apiVersion: "v1", kind: "DeleteOptions", propagationPolicy: "Foreground" };
  const gone = await client.request({ method: "DELETE", path, body, ...(signal ? { signal } : {}) }, kubeObject);
  if (!gone.ok && !isNotFound(gone.error)) throw gone.error;
}

export async function removeSecret({ client, namespace, identity }: Place): Promise<void> {
  const path = secretsPath(namespace, identity.name);
  const gone = await client.request({ method: "DELETE", path }, kubeObject);
  if (!gone.ok && !isNotFound(gone.error)) throw gone.error;
}

/** false: it is still there after `ms`. Throws KubeError. */
export async function untilGone(place: Place, name: string, ms: number, signal?: AbortSignal): Promise<boolean> {
  const start = systemClock.monotonic();
  for (;;) {
    const path = jobsPath(place.namespace, name);
    const found = await place.client.request({ method: "GET", path, ...(signal ? { signal } : {}) }, kubeObject);
    if (!found.ok && isNotFound(found.error)) return true;
    if (!found.ok && found.error instanceof KubeError && found.error.status !== null) throw found.error;
    if (signal?.aborted || systemClock.monotonic() - start > ms) return false;
    await systemClock.sleep(200, signal);
  }
}
