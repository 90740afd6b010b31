import type { ManifestObject } from "./parse.ts";

/** Kinds that others need, wave by wave; what is not named comes in between, in one wave. */
const FIRST: readonly (readonly string[])[] = [
  // Before namespaces, so that in reverse a namespace goes while the cluster still knows the kinds of its content.
  ["CustomResourceDefinition"],
  ["Namespace", "PriorityClass", "RuntimeClass", "StorageClass"],
  [
    "ServiceAccount",
    "Secret",
    "ConfigMap",
    "ResourceQuota",
    "LimitRange",
    "NetworkPolicy",
    "Role",
    "ClusterRole",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "PodDisruptionBudget",
  ],
  ["RoleBinding", "ClusterRoleBinding"],
];
/** What stops or changes requests for other objects as soon as it is there. */
const LAST: readonly (readonly string[])[] = [
  ["APIService"],
  [
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
    "MutatingWebhookConfiguration",
  ],
];

/** Groups whose kinds are meant; another group may use the same words. */
const BUILT_IN = /^(v1|[^./]+\/.*|.*\.k8s\.io\/.*)$/;

/** Wave of an object, from 0: all of one wave can be applied together, once those before are there. */
export function waveOf({ apiVersion, kind }: Pick<ManifestObject, "apiVersion" | "kind">): number {
  const others = FIRST.length;
  if (!BUILT_IN.test(apiVersion)) return others;
  const first = FIRST.findIndex((kinds) => kinds.includes(kind));
  if (first >= 0) return first;
  const last = LAST.findIndex((kinds) => kinds.includes(kind));
  return last < 0 ? others : others + 1 + last;
}

/** The objects wave by wave; inside a wave in the order given. Empty waves are left out. */
export function inWaves<T>(objects: readonly T[], of: (one: T) => Pick<ManifestObject, "apiVersion" | "kind">): T[][] {
  const waves = new Map<number, T[]>();
  for (const one of objects) {
    const wave = waveOf(of(one));
    waves.set(wave, [...(waves.get(wave) ?? []), one]);
  }
  return [...waves].sort(([a], [b]) => a - b).map(([, wave]) => wave);
}
