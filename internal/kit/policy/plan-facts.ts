import { gunzipSync } from "node:zlib";
import { z } from "zod";
import { DIFF_TYPE, type ResourceDiff, resourceDiff } from "../../protocol/nuon/resource-diffs.ts";
import type { ObjectFact, ResourceFact } from "./facts.ts";

/** Largest plan that is unpacked, bytes. */
const LIMIT = 256 * 1024 * 1024;

const change = z.looseObject({
  address: z.string(),
  mode: z.string().optional(),
  type: z.string(),
  provider_name: z.string().optional(),
  change: z.looseObject({ actions: z.array(z.string()), importing: z.unknown().optional() }),
});
const terraformPlan = z.looseObject({
  format_version: z.string(),
  resource_changes: z.array(change).nullish(),
  configuration: z
    .looseObject({
      provider_config: z.record(z.string(), z.looseObject({ full_name: z.string().optional() })).nullish(),
    })
    .nullish(),
});

/** What `terraform show -json` says of a saved plan; null: it is not one. */
export function terraformFacts(json: string): ResourceFact[] | null {
  const parsed = terraformPlan.safeParse(jsonOf(json));
  if (!parsed.success) return null;
  const { resource_changes: changes, configuration } = parsed.data;
  const resources = (changes ?? []).map(
    ({ address, type, provider_name: provider = "", change: { actions, importing } }) => ({
      type,
      address,
      provider,
      actions: [...actions.filter((one) => one !== "no-op"), ...(importing ? ["import"] : [])],
    }),
  );
  const names = new Set(Object.values(configuration?.provider_config ?? {}).map(({ full_name: name = "" }) => name));
  const providers = [...names].map((provider) => ({ type: "", address: "", provider, actions: [] }));
  return [...resources.filter(({ actions }) => actions.length > 0), ...providers];
}

const saved = z.looseObject({
  op: z.string().nullish(),
  helm_content_diff: z.array(resourceDiff).nullish(),
  k8s_content_diff: z.array(resourceDiff).nullish(),
});

/** Objects that a helm or manifest plan changes, from its packed contents; null: it cannot be read. */
export function readDiffs(contents: string): { objects: ObjectFact[]; destroys: boolean } | null {
  const text = unpacked(contents);
  const parsed = saved.safeParse(text === null ? null : jsonOf(text));
  if (!parsed.success) return null;
  const { op, helm_content_diff: helm, k8s_content_diff: manifest } = parsed.data;
  const destroys = op === "uninstall" || op === "delete";
  const objects = [...(helm ?? []), ...(manifest ?? [])].map((diff) => ({
    kind: diff.kind ?? "",
    name: diff.name ?? "",
    namespace: diff.namespace ?? "",
    action: destroys ? "delete" : actionOf(diff),
  }));
  return { objects, destroys };
}

/** Helm leaves the type of a resource at 0, whatever the entries say. */
function actionOf({ op, type, entries }: ResourceDiff): string {
  if (op === "delete" || type === DIFF_TYPE.removed) return "delete";
  if (type === DIFF_TYPE.added) return "create";
  const types = (entries ?? []).map((one) => one.type ?? 0).filter((one) => one !== DIFF_TYPE.unchanged);
  if (types.length > 0 && types.every((one) => one === DIFF_TYPE.removed)) return "delete";
  if (types.length > 0 && types.every((one) => one === DIFF_TYPE.added)) return "create";
  return types.length === 0 && type !== DIFF_TYPE.modified ? "none" : "update";
}

/** Text of base64 of either alphabet, gzipped; null: it is not. */
export function unpacked(contents: string): string | null {
  try {
    const bytes = Buffer.from(contents.replaceAll("-", "+").replaceAll("_", "/"), "base64");
    return gunzipSync(bytes, { maxOutputLength: LIMIT }).toString("utf8");
  } catch {
    return null;
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
