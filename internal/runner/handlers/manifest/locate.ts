import { z } from "zod";
import type { KubeResource } from "../../../kit/kube/index.ts";
import type { ManifestObject } from "../../../kit/manifest/index.ts";
import { RunnerError } from "../../../protocol/errors.ts";
import { together } from "../kube/together.ts";
import { type Cluster, groupOf, keyOf, type Located, labelOf } from "./cluster.ts";
import { refusal } from "./refusal.ts";

/** Fields that only a cluster writes; a manifest copied out of one has them. */
const CLUSTERS_OWN = ["managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"];

/**
 * Where the objects of a manifest belong: kinds are asked for, once for each group, and those that the manifest itself
 * defines are known from there. Throws RunnerError (job): a kind that nobody knows, an object that is there twice.
 */
export async function locate(
  cluster: Cluster,
  objects: readonly ManifestObject[],
  namespace: string,
): Promise<readonly Located[]> {
  const defined = objects.flatMap(definedBy);
  const located = await together(objects, async (object): Promise<Located> => {
    const found = await cluster.finder.find(object.apiVersion, object.kind);
    if (!found.ok) throw refusal({ ...object, namespace: "" }, found.error);
    const own = defined.find((one) => one.apiVersion === object.apiVersion && one.kind === object.kind);
    const resource = found.value ?? own;
    if (resource === undefined) throw unknownKind(object);
    return place(object, resource, namespace, found.value === null);
  });
  const seen = new Set<string>();
  for (const one of located) {
    if (seen.has(keyOf(one))) {
      throw new RunnerError("job", `the manifest has ${labelOf(one)} twice`, { remedy: "Keep one of them." });
    }
    seen.add(keyOf(one));
  }
  return located;
}

function place(object: ManifestObject, resource: KubeResource, fallback: string, pending: boolean): Located {
  const { apiVersion, kind, name, body } = object;
  const namespace = resource.namespaced ? object.namespace || fallback : "";
  const { status: _status, ...rest } = body;
  const metadata = Object.fromEntries(
    Object.entries(z.record(z.string(), z.unknown()).parse(body.metadata)).filter(
      ([key]) => !CLUSTERS_OWN.includes(key) && key !== "namespace",
    ),
  );
  const inNamespace = namespace === "" ? {} : { namespace };
  return {
    apiVersion,
    kind,
    namespace,
    name,
    resource,
    body: { ...rest, metadata: { ...metadata, ...inNamespace } },
    pending,
  };
}

function unknownKind({ apiVersion, kind, name }: ManifestObject): RunnerError {
  return new RunnerError("job", `${kind} ${name}: the cluster knows no kind ${kind} in ${apiVersion}`, {
    remedy:
      groupOf(apiVersion).includes(".") && !groupOf(apiVersion).endsWith(".k8s.io")
        ? "Install its CustomResourceDefinition first, or put it into the same manifest; `kubectl api-resources` lists what is there."
        : "Correct apiVersion and kind; `kubectl api-resources` lists what is there.",
  });
}

const definition = z.looseObject({
  kind: z.literal("CustomResourceDefinition"),
  spec: z.looseObject({
    group: z.string(),
    scope: z.string(),
    names: z.looseObject({ kind: z.string(), plural: z.string() }),
    versions: z.array(z.looseObject({ name: z.string(), served: z.boolean().optional() })),
  }),
});

/** The kinds that a definition in the manifest makes. */
function definedBy({ body }: ManifestObject): KubeResource[] {
  const parsed = definition.safeParse(body);
  if (!parsed.success) return [];
  const { group, scope, names, versions } = parsed.data.spec;
  return versions
    .filter((version) => version.served !== false)
    .map((version) => ({
      apiVersion: `${group}/${version.name}`,
      kind: names.kind,
      name: names.plural,
      namespaced: scope === "Namespaced",
      verbs: [],
    }));
}
