import { z } from "zod";
import { ok, type Result } from "../../protocol/errors.ts";
import type { KubeClient } from "./client.ts";
import type { KubeError } from "./kube-error.ts";

/** How objects of one kind are addressed. */
export interface KubeResource {
  /** `v1`, `apps/v1`. */
  readonly apiVersion: string;
  readonly kind: string;
  /** Plural, as in paths. */
  readonly name: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
}

const resourceList = z.looseObject({
  resources: z.array(
    z.looseObject({
      name: z.string(),
      kind: z.string(),
      namespaced: z.boolean(),
      verbs: z.array(z.string()).nullish(),
    }),
  ),
});

export interface ResourceFinder {
  /** null: the cluster has no such kind (yet: a definition may be part of the same work; ask again after `forget`). */
  find(apiVersion: string, kind: string): Promise<Result<KubeResource | null, KubeError>>;
  /** Drops what was learnt of a group, after a definition was made. */
  forget(): void;
}

/** Discovery, one request for each group version that is asked for, kept for the life of the finder (one job). */
export function resourceFinder(client: KubeClient, signal: AbortSignal): ResourceFinder {
  const known = new Map<string, Promise<Result<readonly KubeResource[], KubeError>>>();
  const load = async (apiVersion: string): Promise<Result<readonly KubeResource[], KubeError>> => {
    const list = await client.request({ method: "GET", path: basePath(apiVersion), signal }, resourceList);
    if (!list.ok) return list.error.status === 404 ? ok([]) : list;
    return ok(
      list.value.resources
        .filter((one) => !one.name.includes("/"))
        .map(({ name, kind, namespaced, verbs }) => ({ apiVersion, kind, name, namespaced, verbs: verbs ?? [] })),
    );
  };
  return {
    async find(apiVersion, kind) {
      const asked = known.get(apiVersion) ?? load(apiVersion);
      known.set(apiVersion, asked);
      const list = await asked;
      if (!list.ok) {
        known.delete(apiVersion);
        return list;
      }
      return ok(list.value.find((one) => one.kind === kind) ?? null);
    },
    forget: () => known.clear(),
  };
}

/** `/api/v1` for the core group, `/apis/<group>/<version>` for the others. */
export const basePath = (apiVersion: string): string =>
  apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;

/** Path of one object, or of the collection when `name` is left out. Names are escaped. */
export function objectPath(resource: KubeResource, namespace: string, name?: string): string {
  const scope = resource.namespaced ? `/namespaces/${encodeURIComponent(namespace)}` : "";
  const one = name === undefined ? "" : `/${encodeURIComponent(name)}`;
  return `${basePath(resource.apiVersion)}${scope}/${resource.name}${one}`;
}
