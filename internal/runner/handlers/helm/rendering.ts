import { z } from "zod";
import { type ManifestObject, parseManifest } from "../../../kit/manifest/parse.ts";
import { RunnerError } from "../../../protocol/errors.ts";

/** A release as helm prints and stores it, both versions: the keys that are read here. */
export const helmReleaseDocument = z.looseObject({
  name: z.string(),
  version: z.number().int(),
  namespace: z.string().nullish(),
  manifest: z.string().nullish(),
  /** helm 4: `ssa` or `csa`. */
  apply_method: z.string().nullish(),
  config: z.unknown().optional(),
  info: z.looseObject({
    status: z.string(),
    last_deployed: z.string().nullish(),
    description: z.string().nullish(),
    notes: z.string().nullish(),
  }),
  chart: z.looseObject({ metadata: z.looseObject({ name: z.string(), version: z.string().nullish() }) }).nullish(),
  hooks: z
    .array(z.looseObject({ manifest: z.string(), last_run: z.looseObject({ phase: z.string().nullish() }).nullish() }))
    .nullish(),
});
export type HelmReleaseDocument = z.infer<typeof helmReleaseDocument>;

/** One object as the chart renders it. */
export interface RenderedObject extends ManifestObject {
  /** `Kind.group/namespace/name`; the namespace is the object's own or the release's. */
  readonly key: string;
  /** What comparisons and sums are made of: its text without the comment that names its template. */
  readonly text: string;
}

export interface Rendering {
  readonly objects: readonly RenderedObject[];
  /** Objects of hooks: never part of the release's own. */
  readonly hooks: readonly RenderedObject[];
}

/** Objects of a release. Throws RunnerError (job) that names the document. */
export function renderingOf(
  document: Pick<HelmReleaseDocument, "manifest" | "hooks">,
  namespace: string,
  place: string,
): Rendering {
  const hooks = (document.hooks ?? []).map((hook) => hook.manifest).join("\n---\n");
  return {
    objects: objectsOf(document.manifest ?? "", namespace, `the ${place}`),
    hooks: objectsOf(hooks, namespace, `the hooks of the ${place}`).map((one) => ({ ...one, key: `hook ${one.key}` })),
  };
}

function objectsOf(manifest: string, namespace: string, place: string): RenderedObject[] {
  const seen = new Map<string, number>();
  return documentsOf(manifest).flatMap((text) => {
    const parsed = parseManifest(text, place);
    if (!parsed.ok)
      throw new RunnerError("job", parsed.error.message, { remedy: "Correct the chart.", cause: parsed.error });
    // A List stands for its items: each goes with the whole text.
    return parsed.value.map((object) => {
      const group = object.apiVersion.includes("/") ? `.${object.apiVersion.split("/")[0]}` : "";
      const base = `${object.kind}${group}/${object.namespace || namespace}/${object.name}`;
      const n = (seen.get(base) ?? 0) + 1;
      seen.set(base, n);
      return { ...object, namespace: object.namespace || namespace, key: n === 1 ? base : `${base}#${n}`, text };
    });
  });
}

/** Helm separates documents by `---` on a line of its own. */
function documentsOf(manifest: string): string[] {
  return manifest
    .split(/^---[ \t]*(?:#.*)?$/m)
    .map((text) => text.replace(/^# Source: .*\n/gm, "").trim())
    .filter((text) => text !== "");
}
