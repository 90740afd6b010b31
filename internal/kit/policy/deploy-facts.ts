import { z } from "zod";
import type { DeployPlan } from "../../protocol/nuon/plans.ts";
import { parseManifest } from "../manifest/parse.ts";
import { type Facet, type ImageFact, type JobFacts, known, type ObjectFact } from "./facts.ts";
import { imageFact, listed, sourceFact } from "./places.ts";
import { readDiffs } from "./plan-facts.ts";
import type { Operation } from "./schema.ts";

/** Facts of a deploy from its plan document; null: it has no block of its type. */
export function deployFacts(
  type: string,
  operation: Operation,
  plan: DeployPlan,
  controlPlane: readonly string[],
): Partial<JobFacts> | null {
  const sources = listed([sourceFact(plan.src_git, plan.src_registry, plan.src_tag, controlPlane)]);
  const { terraform, helm, kubernetes_manifest: manifest, kubernetes_job: job } = plan;
  if (type === "terraform-deploy" && terraform) {
    const destroys = operation === "apply" && terraform.destroy === true;
    return {
      sources,
      terraform: { items: [], open: "later" },
      ...(destroys ? { operation: "destroy" as const } : {}),
    };
  }
  if (type === "helm-chart-deploy" && helm) {
    const objects = changed(operation, plan);
    return { sources, ...objects, releases: known(helm.name ?? ""), images: { items: [], open: "never" } };
  }
  if (type === "kubernetes-manifest-deploy" && manifest) {
    const oci = manifest.oci_artifact;
    const artifact = oci?.url
      ? sourceFact(null, { Repository: oci.url.replace(/^oci:\/\//, "") }, oci.digest || oci.tag, controlPlane)
      : null;
    const namespace = manifest.namespace || "default";
    const written = inline(manifest.manifest, namespace);
    const later = changed(operation, plan);
    const { open } = later.kubernetes;
    const objects = open === "later" ? { items: written.objects, open } : later.kubernetes;
    return { ...later, sources: sources ?? listed([artifact]), kubernetes: objects, images: written.images };
  }
  if (type === "job-deploy" && job) return { sources, ...jobObject(job.job, job.namespace ?? "") };
  if (type === "noop-deploy") return { sources };
  return null;
}

/** Of a plan yet to be made: later. Of one to be applied: what it holds. */
function changed(operation: Operation, plan: DeployPlan) {
  if (operation !== "apply") return { kubernetes: { items: [], open: "later" } as const satisfies Facet<ObjectFact> };
  const saved = readDiffs(plan.apply_plan_contents ?? "");
  // A plan that its apply is not held to says nothing about it.
  if (saved === null || !saved.bound)
    return { kubernetes: { items: [], open: "never" } as const satisfies Facet<ObjectFact> };
  return { kubernetes: known(...saved.objects), ...(saved.destroys ? { operation: "destroy" as const } : {}) };
}

function inline(
  text: string | null | undefined,
  namespace: string,
): { objects: ObjectFact[]; images: Facet<ImageFact> } {
  const read = text?.trim() ? parseManifest(text, "manifest") : null;
  if (read === null || !read.ok) return { objects: [], images: { items: [], open: "never" } };
  const objects = read.value.map((one) => ({
    kind: one.kind,
    name: one.name,
    namespace: one.namespace || namespace,
    action: null,
  }));
  return {
    objects: objects.filter(({ kind }) => !inNoNamespace(kind)),
    images: known(...read.value.flatMap(({ body }) => podImages(body))),
  };
}

/** Kinds that lie in no namespace though a manifest may say one; the plan says how it is. */
const inNoNamespace = (kind: string): boolean =>
  /^(?:Cluster|Namespace$|CustomResource|Node|PersistentVolume$|StorageClass)/.test(kind);

const jobBody = z.looseObject({
  metadata: z
    .looseObject({ name: z.string().nullish(), generateName: z.string().nullish(), namespace: z.string().nullish() })
    .nullish(),
});

function jobObject(body: unknown, namespace: string): Partial<JobFacts> {
  const read = jobBody.safeParse(body);
  const metadata = read.success ? read.data.metadata : null;
  const inside = namespace || metadata?.namespace || "";
  const name = metadata?.name || metadata?.generateName || "";
  const images = podImages(body);
  // Without one it is that of the cluster's access, which a job may bring itself.
  const items = inside === "" ? [] : [{ kind: "Job", name, namespace: inside, action: "create" }];
  return { images: known(...images), kubernetes: { items, open: inside === "" ? "never" : "no" } };
}

const container = z.looseObject({ image: z.string() });
const LISTS = ["containers", "initContainers", "ephemeralContainers"];
const DEPTH_LIMIT = 40;

/** Images of every pod described anywhere in an object. */
function podImages(body: unknown, depth = 0): ImageFact[] {
  if (body === null || typeof body !== "object" || depth > DEPTH_LIMIT) return [];
  return Object.entries(body).flatMap(([key, value]) => {
    const here = LISTS.includes(key) && Array.isArray(value) ? value.map((one) => container.safeParse(one)) : [];
    const found = here.flatMap((one) => (one.success ? [imageFact(one.data.image)] : []));
    return [...found, ...podImages(value, depth + 1)];
  });
}
