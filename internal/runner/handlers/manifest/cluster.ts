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

/** Requests under way at once: a big manifest is quick, and the cluster has room for others. */
const PARALLEL = 8;

/** `work` for every item, a few at a time; the results in the order of the items. The first error ends it. */
export async function together<T, U>(items: readonly T[], work: (item: T) => Promise<U>): Promise<U[]> {
  const results: U[] = [];
  let next = 0;
  let stopped = false;
  const worker = async () => {
    while (next < items.length && !stopped) {
      const at = next++;
      const item = items[at];
      if (item === undefined) continue;
      try {
        results[at] = await work(item);
      } catch (error) {
        stopped = true;
        throw error;
      }
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: Math.min(PARALLEL, items.length) }, worker));
  for (const one of ended) if (one.status === "rejected") throw one.reason;
  return results;
}
