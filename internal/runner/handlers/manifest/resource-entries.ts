import { diffLines, isRecord, maskedPair, yamlLines } from "../../../kit/diff/index.ts";
import type { KubeObject } from "../../../kit/kube/index.ts";
import { DIFF_TYPE, type DiffEntry, type ResourceDiff } from "../../../protocol/nuon/resource-diffs.ts";
import { groupOf, type Located } from "./cluster.ts";

/** What a cluster writes itself and no manifest means (nuon-handlers.md 9.9). */
const IGNORED = ["managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink", "namespace"];
const KUBECTL_COPY = "kubectl.kubernetes.io/last-applied-configuration";

/** Labels of a Job that are drawn anew for every try. */
const DRAWN = ["controller-uid", "batch.kubernetes.io/controller-uid"];

type Plain = Readonly<Record<string, unknown>>;

/** An object as it is compared and shown. */
export function comparable(object: Plain): Plain {
  const { status: _status, metadata, ...rest } = object;
  const { annotations, ...kept }: Record<string, unknown> = { ...(metadata as Record<string, unknown> | undefined) };
  for (const key of IGNORED) delete kept[key];
  const { [KUBECTL_COPY]: _copy, ...notes }: Record<string, unknown> = { ...(annotations as Plain | undefined) };
  const shown = { ...rest, metadata: { ...kept, ...(Object.keys(notes).length === 0 ? {} : { annotations: notes }) } };
  return object.kind === "Job" ? withoutDrawn(shown) : shown;
}

function withoutDrawn(object: Plain): Plain {
  const entries = Object.entries(object).filter(([key]) => !DRAWN.includes(key));
  return Object.fromEntries(entries.map(([key, value]) => [key, isRecord(value) ? withoutDrawn(value) : value]));
}

/** The difference of one object in the form of nuon-handlers.md 10.2; values of Secrets are hidden. */
export function resourceDiff(
  object: Pick<Located, "apiVersion" | "kind" | "namespace" | "name" | "resource">,
  op: "apply" | "delete",
  live: KubeObject | null,
  wanted: Plain | null,
  note = "",
): ResourceDiff {
  const [before, after] = maskedPair(
    live === null ? null : comparable(live),
    wanted === null ? null : comparable(wanted),
  );
  const type = typeOf(before, after);
  const { apiVersion } = object;
  return {
    _version: "2",
    name: object.name,
    ...(object.namespace === "" ? {} : { namespace: object.namespace }),
    kind: object.kind,
    api: groupOf(apiVersion) === "" ? `/${apiVersion}` : apiVersion,
    resource: object.resource.name,
    op,
    type,
    dry_run: true,
    entries: entriesOf(type, before, after),
    // Ours: why it could not be compared in full.
    ...(note === "" ? {} : { note }),
  };
}

function typeOf(before: Plain | null, after: Plain | null): number {
  if (before === null) return DIFF_TYPE.added;
  if (after === null) return DIFF_TYPE.removed;
  return Bun.deepEquals(before, after) ? DIFF_TYPE.unchanged : DIFF_TYPE.modified;
}

function entriesOf(type: number, before: Plain | null, after: Plain | null): DiffEntry[] {
  if (type === DIFF_TYPE.unchanged) return [];
  if (before === null || after === null) {
    return [{ type }, ...yamlLines(before ?? after).map((payload) => ({ type, payload }))];
  }
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return keys.flatMap((key) => (Bun.deepEquals(before[key], after[key]) ? [] : changed(key, before[key], after[key])));
}

/** A plain value as what it was and is; anything else line by line under its key. */
function changed(path: string, before: unknown, after: unknown): DiffEntry[] {
  const entry = (type: number, payload: string): DiffEntry => ({ path, type, payload });
  if (isPlain(before) && isPlain(after)) {
    return [
      ...(before === undefined ? [] : [{ ...entry(DIFF_TYPE.removed, String(before)), original: before }]),
      ...(after === undefined ? [] : [{ ...entry(DIFF_TYPE.added, String(after)), applied: after }]),
    ];
  }
  const lines = (value: unknown) => (value === undefined ? [] : yamlLines({ [path]: value }));
  return diffLines(lines(before), lines(after)).map(({ kind, text }) => entry(LINE_TYPE[kind], text));
}

const LINE_TYPE = { same: DIFF_TYPE.unchanged, removed: DIFF_TYPE.removed, added: DIFF_TYPE.added } as const;
const isPlain = (value: unknown) => value === null || typeof value !== "object";
