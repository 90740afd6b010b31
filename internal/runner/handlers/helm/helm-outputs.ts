import { isRecord, maskedPair, yamlLines } from "../../../kit/diff/index.ts";
import { type KubeClient, kubeObject, objectPath, type ResourceFinder } from "../../../kit/kube/index.ts";
import type { RenderedObject } from "./rendering.ts";

/** Outputs of an install or upgrade (nuon-handlers.md 4.3). Secrets stay in the cluster: their values are hidden here. */
export interface HelmOutputs extends Record<string, unknown> {
  readonly manifest: string;
  readonly resources: Readonly<Record<string, HelmResource>>;
  readonly ingresses: ByNamespace;
  readonly services: ByNamespace;
  readonly deployments: ByNamespace;
}

interface HelmResource {
  readonly Name: string;
  readonly Kind: string;
  readonly Content: string;
  readonly ResourcePolicy: string;
}
type ByNamespace = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export async function helmOutputs(
  deps: { readonly client: KubeClient; readonly finder: ResourceFinder; readonly signal: AbortSignal },
  objects: readonly RenderedObject[],
): Promise<HelmOutputs> {
  const of = (kind: string, group: string) =>
    liveObjects(
      deps,
      objects.filter((one) => one.kind === kind && (one.apiVersion.split("/").at(-2) ?? "") === group),
    );
  const resources = Object.fromEntries(objects.map((object) => [nameOf(object), resourceOf(object)]));
  return {
    manifest: objects.map((object) => `---\n${shown(object)}\n`).join(""),
    resources,
    ingresses: await of("Ingress", "networking.k8s.io"),
    services: await of("Service", ""),
    deployments: await of("Deployment", "apps"),
  };
}

/** helm-diff's name of an object: `ns, name, Kind (group)`. */
const nameOf = ({ namespace, name, kind, apiVersion }: RenderedObject) =>
  `${namespace}, ${name}, ${kind} (${apiVersion.split("/")[0]})`;

function resourceOf(object: RenderedObject): HelmResource {
  const metadata = isRecord(object.body.metadata) ? object.body.metadata : {};
  const annotations = isRecord(metadata.annotations) ? metadata.annotations : {};
  const policy = annotations["helm.sh/resource-policy"];
  return {
    Name: nameOf(object),
    Kind: object.kind,
    Content: shown(object),
    ResourcePolicy: typeof policy === "string" ? policy : "",
  };
}

function shown(object: RenderedObject): string {
  if (object.kind !== "Secret") return object.text;
  const [masked] = maskedPair<Record<string, unknown> | null>({ ...object.body }, null);
  return yamlLines(masked).join("\n");
}

async function liveObjects(
  { client, finder, signal }: Parameters<typeof helmOutputs>[0],
  objects: readonly RenderedObject[],
): Promise<ByNamespace> {
  const found: Record<string, Record<string, unknown>> = {};
  for (const object of objects) {
    const resource = await finder.find(object.apiVersion, object.kind);
    if (!resource.ok || resource.value === null) continue;
    const path = objectPath(resource.value, object.namespace, object.name);
    const read = await client.request({ method: "GET", path, signal }, kubeObject);
    if (!read.ok) continue;
    found[object.namespace] = { ...found[object.namespace], [object.name]: { ...read.value, spec: {} } };
  }
  return found;
}
