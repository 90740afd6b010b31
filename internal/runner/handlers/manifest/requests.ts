import { z } from "zod";
import { systemClock } from "../../../kit/base/clock.ts";
import { HttpFailure } from "../../../kit/http/failure.ts";
import { isNotFound, type KubeError, type KubeObject, kubeObject, objectPath } from "../../../kit/kube/index.ts";
import { fail, ok, type Result } from "../../../protocol/errors.ts";
import { RETRY } from "../../../protocol/retry.ts";
import type { Cluster, Located } from "./cluster.ts";
import { isTypeError } from "./refusal.ts";

/** Name under which the cluster notes which fields are ours. */
export const MANAGER = "runner";
/** Nuon's Go runner applies under this name; what it owns is taken over. */
export const FORMER_MANAGER = "kube-apply";

type Address = Pick<Located, "resource" | "namespace" | "name">;

/** The object as the cluster has it; null: it has none. A refused read is an error, never "it is not there". */
export async function readLive(cluster: Cluster, object: Address): Promise<Result<KubeObject | null, KubeError>> {
  const path = objectPath(object.resource, object.namespace, object.name);
  const answer = await cluster.client.request({ method: "GET", path, signal: cluster.signal }, kubeObject);
  return !answer.ok && isNotFound(answer.error) ? ok(null) : answer;
}

const ONCE = { ...RETRY.operator, tries: 1, timeout_ms: 60_000 };
const TRIES = 5;

/** Server-side apply, repeated while the cluster cannot answer; an object that does not fit its schema is told at once. */
export async function applyObject(
  cluster: Cluster,
  object: Located,
  options: { readonly dryRun: boolean; readonly force: boolean; readonly manager?: string },
): Promise<Result<KubeObject, KubeError>> {
  for (let tried = 1; ; tried++) {
    const answer = await cluster.client.request(
      {
        method: "PATCH",
        path: objectPath(object.resource, object.namespace, object.name),
        query: {
          fieldManager: options.manager ?? MANAGER,
          force: String(options.force),
          fieldValidation: "Strict",
          ...(options.dryRun ? { dryRun: "All" } : {}),
        },
        type: "application/apply-patch+yaml",
        body: object.body,
        signal: cluster.signal,
        rule: ONCE,
      },
      kubeObject,
    );
    if (answer.ok || tried >= TRIES || cluster.signal.aborted || !mayWorkLater(answer.error)) return answer;
    await systemClock.sleep(Math.min(5_000, 300 * 2 ** tried), cluster.signal);
  }
}

function mayWorkLater(error: KubeError): boolean {
  if (isTypeError(error)) return false;
  // Somebody else wrote the object in the same moment.
  if (error.status === 409 && error.causes.length === 0) return true;
  return error.cause instanceof HttpFailure && error.cause.retryable;
}

const managedEntry = z.looseObject({
  manager: z.string().nullish(),
  operation: z.string().nullish(),
  apiVersion: z.string().nullish(),
  subresource: z.string().nullish(),
  fieldsV1: z.record(z.string(), z.unknown()).nullish(),
});
export type ManagedEntry = z.infer<typeof managedEntry>;

/** Who owns which fields of an object. */
export function managedFields(object: KubeObject): readonly ManagedEntry[] {
  const parsed = z.array(managedEntry).safeParse(object.metadata?.managedFields);
  return parsed.success ? parsed.data : [];
}

export const isApplyOf = (entry: ManagedEntry, manager: string): boolean =>
  entry.manager === manager && entry.operation === "Apply" && !entry.subresource;

/** The raw answer of anything else. */
export async function patchObject(
  cluster: Cluster,
  object: Address,
  patch: { readonly type: string; readonly body: unknown },
): Promise<Result<KubeObject, KubeError>> {
  const path = objectPath(object.resource, object.namespace, object.name);
  const answer = await cluster.client.request(
    { method: "PATCH", path, type: patch.type, body: patch.body, signal: cluster.signal },
    kubeObject,
  );
  return answer.ok ? answer : fail(answer.error);
}
