import { diffLines, maskedPair, yamlLines } from "../../../kit/diff/index.ts";
import { DIFF_TYPE, type ResourceDiff } from "../../../protocol/nuon/resource-diffs.ts";
import { comparable, type ObjectChange } from "./live-diff.ts";
import type { RenderedObject } from "./rendering.ts";

type Lines = readonly { readonly payload: string; readonly type: number }[];
const LINE_TYPE = { same: DIFF_TYPE.unchanged, removed: DIFF_TYPE.removed, added: DIFF_TYPE.added } as const;

/** What a plan stores of each change (nuon-handlers.md 10.1): every line of the object, values of Secrets hidden. */
export function resourceDiff({ object, before, after }: ObjectChange): ResourceDiff {
  const [old, next] = maskedPair<Record<string, unknown> | null>(
    before === null ? null : comparable(before),
    after === null ? null : comparable(after),
  );
  const lines = diffLines(old === null ? [] : yamlLines(old), next === null ? [] : yamlLines(next));
  return about(
    object,
    lines.map(({ kind, text }) => ({ payload: text, type: LINE_TYPE[kind] })),
    kindOf(before, after),
  );
}

/** Hooks are run and not kept: their texts are compared. */
export function hookDiffs(before: readonly RenderedObject[], after: readonly RenderedObject[]): ResourceDiff[] {
  const keys = [...new Set([...before, ...after].map((one) => one.key))];
  return keys.flatMap((key) => {
    const old = before.find((one) => one.key === key);
    const next = after.find((one) => one.key === key);
    const object = next ?? old;
    if (object === undefined || old?.text === next?.text) return [];
    const [a, b] = maskedPair<Record<string, unknown> | null>(old?.body ?? null, next?.body ?? null);
    const lines = diffLines(a === null ? [] : yamlLines(a), b === null ? [] : yamlLines(b));
    return [
      about(
        object,
        lines.map(({ kind, text }) => ({ payload: text, type: LINE_TYPE[kind] })),
        kindOf(old ?? null, next ?? null),
      ),
    ];
  });
}

/** A release that is new, or whose last revision is not deployed, changes even if no object does: never "no changes". */
export function releaseDiff(release: string, namespace: string, status: string | null): ResourceDiff {
  const line = (text: string, type: number) => ({ payload: `status: ${text}`, type });
  return {
    _version: "2",
    name: release,
    namespace,
    kind: "Release",
    api: "helm.sh",
    type: status === null ? DIFF_TYPE.added : DIFF_TYPE.modified,
    entries: [...(status === null ? [] : [line(status, DIFF_TYPE.removed)]), line("deployed", DIFF_TYPE.added)],
  };
}

function about({ name, namespace, kind, apiVersion }: RenderedObject, entries: Lines, type: number): ResourceDiff {
  // Only the group of `group/version`, as helm-diff has it.
  return { _version: "2", name, namespace, kind, api: apiVersion.split("/")[0], type, entries: [...entries] };
}

function kindOf(before: unknown, after: unknown): number {
  if (before === null) return DIFF_TYPE.added;
  return after === null ? DIFF_TYPE.removed : DIFF_TYPE.modified;
}

const WORDS: Readonly<Record<number, string>> = {
  [DIFF_TYPE.added]: "added",
  [DIFF_TYPE.removed]: "removed",
  [DIFF_TYPE.modified]: "changed",
};

/** `plan` of the stored document: a line for each resource, then the counts; `no changes`. */
export function simpleReport(diffs: readonly ResourceDiff[], adopted: number): string {
  if (diffs.length === 0) return "no changes";
  const lines = diffs.map(
    ({ namespace, name, kind, api, type }) =>
      `${namespace}, ${name}, ${kind} (${api}) to be ${WORDS[type ?? 0] ?? "changed"}.`,
  );
  const count = (type: number) => diffs.filter((one) => one.type === type).length;
  const counts = `${count(DIFF_TYPE.added)} to add, ${count(DIFF_TYPE.modified)} to change, ${count(DIFF_TYPE.removed)} to destroy, ${adopted} to change ownership.`;
  return [...lines, `Plan: ${counts}`].join("\n");
}
