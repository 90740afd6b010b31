import { isRecord } from "../../../kit/diff/index.ts";
import {
  isNotFound,
  type KubeClient,
  type KubeError,
  type KubeObject,
  kubeObject,
  objectPath,
  type ResourceFinder,
} from "../../../kit/kube/index.ts";
import { RunnerError } from "../../../protocol/errors.ts";
import { together } from "../kube/together.ts";
import { mergePatch, mergeThree } from "./merge-three.ts";
import type { RenderedObject } from "./rendering.ts";

/** One object of the release that an apply would make, change or remove. `null`: it is not there on that side. */
export interface ObjectChange {
  readonly object: RenderedObject;
  readonly before: KubeObject | null;
  readonly after: KubeObject | null;
  /** It belonged to no release, or to another one. */
  readonly adopted: boolean;
}

export interface LiveDiffInput {
  readonly client: KubeClient;
  readonly finder: ResourceFinder;
  readonly signal: AbortSignal;
  readonly release: string;
  readonly namespace: string;
  /** What the last release said. */
  readonly before: readonly RenderedObject[];
  readonly target: readonly RenderedObject[];
  /** Helm's server-side apply, and whether it takes fields of others. null: its three-way patch. */
  readonly apply: { readonly force: boolean } | null;
  /** Something that a person should know about the comparison. */
  readonly note: (text: string) => void;
}

/**
 * Compares a release with the live cluster: what an apply would send goes there as a dry run, so that defaults, admission
 * and changes that others made all show. Throws what makes the comparison impossible: never answers "the same" then.
 */
export async function liveChanges(input: LiveDiffInput): Promise<readonly ObjectChange[]> {
  const wanted = new Set(input.target.map((one) => one.key));
  const gone = input.before.filter((one) => !wanted.has(one.key));
  const tasks = [
    ...input.target.map((object) => () => wantedChange(input, object)),
    ...gone.map((object) => () => removal(input, object)),
  ];
  const results = await together(tasks, (task) => task());
  return results.filter((one) => one !== null);
}

async function pathOf({ finder }: LiveDiffInput, { apiVersion, kind, namespace, name }: RenderedObject) {
  const resource = await finder.find(apiVersion, kind);
  if (!resource.ok) throw resource.error;
  if (resource.value === null) return null;
  const { value } = resource;
  return { one: objectPath(value, namespace, name), all: (space: string) => objectPath(value, space) };
}

async function readLive(input: LiveDiffInput, path: string): Promise<KubeObject | null> {
  const live = await input.client.request({ method: "GET", path, signal: input.signal }, kubeObject);
  if (live.ok) return live.value;
  if (isNotFound(live.error)) return null;
  throw live.error;
}

async function wantedChange(input: LiveDiffInput, object: RenderedObject): Promise<ObjectChange | null> {
  const path = await pathOf(input, object);
  const target = { ...object.body };
  if (path === null) {
    input.note(`${object.kind} ${object.name} cannot be checked before its definition exists`);
    return { object, before: null, after: target, adopted: false };
  }
  const live = await readLive(input, path.one);
  if (live === null) {
    await tryCreation(input, object, path.all);
    return { object, before: null, after: target, adopted: false };
  }
  const after = await dryRun(input, object, path.one, live);
  const adopted = !belongsTo(live, input);
  if (after === null || Bun.deepEquals(comparable(live), comparable(after))) return null;
  return { object, before: live, after, adopted };
}

/** The cluster says now what it would say then: quotas, admission, invalid fields. */
async function tryCreation(
  input: LiveDiffInput,
  object: RenderedObject,
  all: (namespace: string) => string,
): Promise<void> {
  const tried = await creation(input, object, all(object.namespace));
  if (tried === null) return;
  if (!isNotFound(tried)) throw explained(object, tried);
  // Its namespace comes with the release: what is wrong with the object itself shows in any other one, too.
  const elsewhere = await creation(input, object, all(ANYWHERE), ANYWHERE);
  if (elsewhere?.status === 400 || elsewhere?.status === 422) throw explained(object, elsewhere);
}

/** A namespace that every cluster has. */
const ANYWHERE = "default";

async function creation(
  input: LiveDiffInput,
  object: RenderedObject,
  path: string,
  namespace?: string,
): Promise<KubeError | null> {
  const { client, signal } = input;
  const body = owned(object.body, input, true);
  const metadata = {
    ...(isRecord(body.metadata) ? body.metadata : {}),
    ...(namespace === undefined ? {} : { namespace }),
  };
  const query = { dryRun: "All" };
  const tried = await client.request({ method: "POST", path, query, body: { ...body, metadata }, signal }, kubeObject);
  return tried.ok ? null : tried.error;
}

async function dryRun(
  input: LiveDiffInput,
  object: RenderedObject,
  path: string,
  live: KubeObject,
): Promise<KubeObject | null> {
  const { client, signal, apply } = input;
  const target = owned(object.body, input, false);
  if (apply !== null) {
    const query = { dryRun: "All", fieldManager: "helm", force: String(apply.force) };
    const applied = await client.request(
      { method: "PATCH", path, query, body: target, type: "application/apply-patch+yaml", signal },
      kubeObject,
    );
    if (!applied.ok) throw explained(object, applied.error);
    return applied.value;
  }
  const before = input.before.find((one) => one.key === object.key)?.body ?? {};
  const patch = mergePatch(live, mergeThree(before, target, live));
  if (patch === undefined) return null;
  const query = { dryRun: "All", fieldManager: "helm" };
  const patched = await client.request(
    { method: "PATCH", path, query, body: patch, type: "application/merge-patch+json", signal },
    kubeObject,
  );
  if (!patched.ok) throw explained(object, patched.error);
  return patched.value;
}

async function removal(input: LiveDiffInput, object: RenderedObject): Promise<ObjectChange | null> {
  const path = await pathOf(input, object);
  const live = path === null ? null : await readLive(input, path.one);
  // Helm leaves what says so, in the chart or live.
  const kept = [object.body, live].some((one) => annotationsOf(one)["helm.sh/resource-policy"] === "keep");
  return live === null || kept ? null : { object, before: live, after: null, adopted: false };
}

function explained({ kind, name }: RenderedObject, error: KubeError): RunnerError {
  const field = error.causes
    .map((cause) => cause.field)
    .filter(Boolean)
    .join(", ");
  if (error.status === 409) {
    return new RunnerError("conflict", `${kind} ${name}: ${error.message}`, {
      remedy: "Another manager owns these fields: leave them out of the chart, or set force_conflicts: true.",
      cause: error,
    });
  }
  const immutable = /immutable|may not be changed|updates to .* are forbidden/i.test(error.message);
  const remedy = immutable
    ? `Delete the object first, or keep ${field || "the field"} as it is.`
    : (error.remedy ?? "Correct the chart or its values.");
  return new RunnerError("job", `${kind} ${name} would be refused: ${error.message}`, {
    ...(remedy === undefined ? {} : { remedy }),
    cause: error,
  });
}

/** Marks that helm puts on everything it makes; they are part of what it sends. */
function owned(
  body: Readonly<Record<string, unknown>>,
  { release, namespace }: LiveDiffInput,
  fresh: boolean,
): Record<string, unknown> {
  const metadata = isRecord(body.metadata) ? body.metadata : {};
  const labels = isRecord(metadata.labels) ? metadata.labels : {};
  const annotations = isRecord(metadata.annotations) ? metadata.annotations : {};
  return {
    ...body,
    metadata: {
      ...metadata,
      ...(fresh && metadata.creationTimestamp === null ? { creationTimestamp: undefined } : {}),
      labels: { ...labels, "app.kubernetes.io/managed-by": "Helm" },
      annotations: { ...annotations, [RELEASE_NAME]: release, [RELEASE_NAMESPACE]: namespace },
    },
  };
}

const RELEASE_NAME = "meta.helm.sh/release-name";
const RELEASE_NAMESPACE = "meta.helm.sh/release-namespace";

function annotationsOf(object: Readonly<Record<string, unknown>> | null): Readonly<Record<string, unknown>> {
  const metadata = isRecord(object?.metadata) ? object.metadata : {};
  return isRecord(metadata.annotations) ? metadata.annotations : {};
}

function belongsTo(live: KubeObject, { release, namespace }: LiveDiffInput): boolean {
  const annotations = annotationsOf(live);
  return annotations[RELEASE_NAME] === release && annotations[RELEASE_NAMESPACE] === namespace;
}

/** Written by the cluster with every change. */
const VOLATILE = ["managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"];

/** An object without what the cluster writes by itself. */
export function comparable(object: KubeObject): Record<string, unknown> {
  const { status: _status, metadata, ...rest } = object;
  const kept = Object.entries(metadata ?? {}).filter(([key]) => !VOLATILE.includes(key));
  return { ...rest, metadata: Object.fromEntries(kept) };
}
