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

const removal = z.looseObject({ kind: z.string(), namespace: z.string(), name: z.string() });
const saved = z.looseObject({
  op: z.string().nullish(),
  helm_content_diff: z.array(resourceDiff).nullish(),
  k8s_content_diff: z.array(resourceDiff).nullish(),
  /** What the plans of our handlers are bound to: every object, hooks and unchanged ones too. */
  runner_binding: z.looseObject({ objects: z.record(z.string(), z.unknown()) }).nullish(),
  runner: z.looseObject({ objects: z.record(z.string(), z.unknown()), removals: z.array(removal) }).nullish(),
});

export interface SavedObjects {
  readonly objects: readonly ObjectFact[];
  readonly destroys: boolean;
  /** An apply does this and nothing else; false: the list is what somebody says of it. */
  readonly bound: boolean;
}

/** Objects that a helm or manifest plan changes, from its packed contents; null: it cannot be read. */
export function readDiffs(contents: string): SavedObjects | null {
  const text = unpacked(contents);
  const parsed = saved.safeParse(text === null ? null : jsonOf(text));
  if (!parsed.success) return null;
  const { op, helm_content_diff: helm, k8s_content_diff: manifest, runner_binding: chart, runner: set } = parsed.data;
  const destroys = op === "uninstall" || op === "delete";
  const shown = [...(helm ?? []), ...(manifest ?? [])].map((diff) => ({
    kind: diff.kind ?? "",
    name: diff.name ?? "",
    namespace: diff.namespace ?? "",
    action: destroys ? "delete" : actionOf(diff),
  }));
  const seen = new Set(shown.map(nameOf));
  const removed = (set?.removals ?? []).map(({ kind, name, namespace }) => ({
    kind,
    name,
    namespace,
    action: "delete",
  }));
  const named = [
    ...Object.keys(chart?.objects ?? {}).map(chartObject),
    ...Object.keys(set?.objects ?? {}).map(setObject),
    ...removed,
  ];
  const rest = named.filter((one) => one !== null).filter((one) => one.action !== "none" || !seen.has(nameOf(one)));
  return { objects: [...shown, ...rest], destroys, bound: Boolean(chart ?? set) };
}

/** Without the namespace: in a chart's key it is the release's, also of what lies in none. */
const nameOf = ({ kind, name }: ObjectFact): string => `${kind}/${name}`;

/** `Kind.group/namespace/name` of a chart; hooks are made anew each time. */
function chartObject(key: string): ObjectFact | null {
  const [, hook, kind, namespace, name] = /^(hook )?([^./]+)[^/]*\/([^/]*)\/(.+?)(?:#\d+)?$/.exec(key) ?? [];
  if (kind === undefined || namespace === undefined || name === undefined) return null;
  return { kind, namespace, name, action: hook ? "create" : "none" };
}

/** `group/Kind/namespace/name` of a manifest. */
function setObject(key: string): ObjectFact | null {
  const [, kind, namespace, name] = key.split("/");
  if (kind === undefined || namespace === undefined || name === undefined) return null;
  return { kind, namespace, name, action: "none" };
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
