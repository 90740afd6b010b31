import { DIFF_TYPE, type DiffEntry, type ResourceDiff } from "../../protocol/nuon/resource-diffs.ts";
import { secretMasker } from "./secret-lines.ts";

/** Lines around a change that are shown; the rest is left out. */
const CONTEXT = 3;

/** The differences of a helm or manifest plan as text, secrets left out. */
export function renderResourceDiffs(diffs: readonly ResourceDiff[]): string {
  const shown = diffs.filter(changesResource);
  if (shown.length === 0) return "No changes. The cluster matches.\n";
  return `${[...shown.map(renderResource), countLine(diffs)].join("\n\n")}\n`;
}

/** `Plan: 1 to add, 0 to change, 2 to remove.` */
export function countLine(diffs: readonly ResourceDiff[]): string {
  const count = (kind: Kind) => diffs.filter((diff) => kindOf(diff) === kind).length;
  const failed = count("error");
  const errors = failed === 0 ? "" : `, ${failed} that cannot be compared`;
  return `Plan: ${count("added")} to add, ${count("modified")} to change, ${count("removed")} to remove${errors}.`;
}

/** An entry that could not be compared counts: nobody knows that it is the same. */
export const changesResource = (diff: ResourceDiff): boolean => kindOf(diff) !== "unchanged";

/** The same differences for machines, secrets left out. */
export function maskedDiffs(diffs: readonly ResourceDiff[]): ResourceDiff[] {
  return diffs.map((diff) => {
    if (diff.kind !== "Secret") return diff;
    const entries = linesOf(diff).map(({ type, line }) => ({ type, payload: line }));
    return { ...diff, entries };
  });
}

type Kind = keyof typeof DIFF_TYPE;
const KINDS = ["unchanged", "removed", "added", "modified", "error"] as const satisfies readonly Kind[];

function kindOf({ type, entries, error }: ResourceDiff): Kind {
  const said = KINDS[type ?? 0] ?? "error";
  if (error) return "error";
  // Helm's resources always say 0: their lines tell.
  if (said !== "unchanged" || !entries?.length) return said;
  const types = new Set(entries.map((entry) => entry.type ?? 0));
  if (types.size === 1) return KINDS[entries[0]?.type ?? 0] ?? "error";
  return "modified";
}

const MARK: Readonly<Record<Kind, string>> = { unchanged: " ", removed: "-", added: "+", modified: "~", error: "!" };
const SENTENCE: Readonly<Record<Kind, string>> = {
  unchanged: "is unchanged",
  removed: "will be removed",
  added: "will be added",
  modified: "will be changed",
  error: "cannot be compared",
};

function renderResource(diff: ResourceDiff): string {
  const kind = kindOf(diff);
  const place = [diff.namespace, diff.name].filter(Boolean).join("/");
  const api = diff.api ? ` (${diff.api.replace(/^\//, "")})` : "";
  const head = `${MARK[kind]} ${diff.kind || "object"} ${place}${api} ${SENTENCE[kind]}`;
  const error = diff.error ? [`    ${diff.error}`] : [];
  // Ours: what could not be checked, and what is taken from whom.
  const note = typeof diff.note === "string" ? [`    (${diff.note})`] : [];
  return [head, ...error, ...note, ...hunks(linesOf(diff))].join("\n");
}

interface Line {
  readonly type: number;
  readonly line: string;
}

/** Entries as lines: a Go runner puts several lines into one, and values that have no line. */
function linesOf(diff: ResourceDiff): Line[] {
  const mask = secretMasker(diff.kind ?? "");
  return (diff.entries ?? []).flatMap((entry) =>
    textOf(entry).map((line) => ({ type: entry.type ?? 0, line: mask(entry.path ?? "", line) })),
  );
}

function textOf({ payload, path, original, applied, type }: DiffEntry): string[] {
  if (payload) return payload.replace(/\n$/, "").split("\n");
  if (!path) return [];
  const value = type === DIFF_TYPE.removed ? original : applied;
  return value === undefined || value === null
    ? []
    : [`${path}: ${typeof value === "string" ? value : JSON.stringify(value)}`];
}

function hunks(lines: readonly Line[]): string[] {
  const near = new Set<number>();
  lines.forEach(({ type }, at) => {
    if (type !== DIFF_TYPE.unchanged) for (let n = at - CONTEXT; n <= at + CONTEXT; n++) near.add(n);
  });
  const out: string[] = [];
  let skipped = false;
  lines.forEach(({ type, line }, at) => {
    if (near.has(at)) {
      if (skipped && out.length > 0) out.push("    …");
      out.push(`    ${MARK[KINDS[type] ?? "error"]} ${line}`);
    }
    skipped = !near.has(at);
  });
  return out;
}
