import type { KubeClient, KubeResource, ResourceFinder } from "../../../kit/kube/index.ts";

/** One cluster during one job. */
export interface Cluster {
  readonly client: KubeClient;
  readonly finder: ResourceFinder;
  readonly signal: AbortSignal;
}

/** What names one object of a cluster. */
export interface ObjectRef {
  readonly apiVersion: string;
  readonly kind: string;
  /** Empty for what lies in no namespace. */
  readonly namespace: string;
  readonly name: string;
}

/** An object and how it is addressed. */
export interface Located extends ObjectRef {
  readonly resource: KubeResource;
  readonly body: Readonly<Record<string, unknown>>;
  /** Its kind is defined by this same manifest and not there yet. */
  readonly pending: boolean;
}

/** The same for every version of a kind: a cluster has one object under it. */
export const keyOf = ({ apiVersion, kind, namespace, name }: ObjectRef): string =>
  [groupOf(apiVersion), kind, namespace, name].join("/");

export const groupOf = (apiVersion: string): string =>
  apiVersion.includes("/") ? (apiVersion.split("/")[0] ?? "") : "";

/** `Deployment default/web`. */
export const labelOf = ({ kind, namespace, name }: ObjectRef): string =>
  `${kind} ${namespace === "" ? "" : `${namespace}/`}${name}`;
