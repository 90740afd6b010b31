import { diffValues, maskedPair, secretValues } from "../../../kit/diff/index.ts";
import type { KubeObject } from "../../../kit/kube/index.ts";
import { RunnerError } from "../../../protocol/errors.ts";
import { DIFF_TYPE, type ResourceDiff } from "../../../protocol/nuon/resource-diffs.ts";
import type { JobContext } from "../../handler.ts";
import { together } from "../kube/together.ts";
import { type Cluster, keyOf, type Located, labelOf } from "./cluster.ts";
import { type Comparison, compare } from "./compare.ts";
import type { Target } from "./removal.ts";
import { comparable, resourceDiff } from "./resource-entries.ts";
import type { Binding, SavedPlan } from "./saved-plan.ts";

export type Note = Pick<JobContext<unknown>, "log" | "secrets">;

/** Everything an apply would do. */
export interface Planned {
  readonly compared: readonly Comparison[];
  readonly removals: readonly Target[];
  readonly manifestSha256: string;
}

/** Compares every object; all that is wrong is logged before the job fails with the first of it. */
export async function compareAll(
  cluster: Cluster,
  { log, secrets }: Note,
  objects: readonly Located[],
  force: boolean,
): Promise<readonly Comparison[]> {
  const made = new Set(objects.filter(({ kind }) => kind === "Namespace").map(({ name }) => name));
  const results = await together(objects, async (object) => {
    try {
      return await compare(cluster, object, { force, made });
    } catch (error) {
      if (error instanceof RunnerError && error.kind === "job") return error;
      throw error;
    }
  });
  const errors = results.filter((one) => one instanceof RunnerError);
  for (const error of errors) log.error(error.message);
  const [first] = errors;
  if (first !== undefined) {
    const more = errors.length === 1 ? "" : ` (and ${errors.length - 1} more, see the log)`;
    const remedy = first.remedy === undefined ? {} : { remedy: first.remedy };
    throw new RunnerError(first.kind, `${first.message}${more}`, { ...remedy, cause: first });
  }
  const compared = results.filter((one): one is Comparison => !(one instanceof RunnerError));
  secrets.register(...compared.flatMap(({ live }) => (live === null ? [] : secretValues(live))));
  return compared;
}

/** The plan as it is stored: what changes, in an order of its own, and what it was made of. */
export function planOf({ compared, removals, manifestSha256 }: Planned): SavedPlan {
  const diffs = [
    ...compared.map(({ diff }) => diff).filter(({ type }) => type !== DIFF_TYPE.unchanged),
    ...removals.map((target) => resourceDiff(target, "delete", target.live, null)),
  ];
  const objects = compared.map(({ object, live }) => {
    const version = live?.metadata?.resourceVersion ?? null;
    return [keyOf(object), { uid: live?.metadata?.uid ?? "", version }] as const;
  });
  const binding: Binding = {
    manifest_sha256: manifestSha256,
    objects: Object.fromEntries([...objects].sort(([a], [b]) => (a < b ? -1 : 1))),
    removals: removals.map(({ apiVersion, kind, namespace, name, uid }) => ({
      apiVersion,
      kind,
      namespace,
      name,
      uid,
    })),
  };
  return { op: "apply", diffs: sorted(diffs), binding };
}

/** The plan of a teardown. */
export function teardownOf(removals: readonly Target[], manifestSha256: string): SavedPlan {
  const diffs = removals.map((target) => resourceDiff(target, "delete", target.live, null));
  const named = removals.map(({ apiVersion, kind, namespace, name, uid }) => ({
    apiVersion,
    kind,
    namespace,
    name,
    uid,
  }));
  return {
    op: "delete",
    diffs: sorted(diffs),
    binding: { manifest_sha256: manifestSha256, objects: {}, removals: named },
  };
}

const sorted = (diffs: readonly ResourceDiff[]) => {
  const key = ({ type, namespace, kind, api, name }: ResourceDiff) =>
    [type === DIFF_TYPE.removed ? 1 : 0, namespace ?? "", kind, api, name].join("\0");
  return [...diffs].sort((a, b) => (key(a) < key(b) ? -1 : 1));
};

/** The plan in the log, an object a line. */
export function logPlan({ log }: Note, planned: Pick<Planned, "compared" | "removals">): void {
  const count = { added: 0, modified: 0 };
  for (const { object, live, wanted, diff, taken } of planned.compared) {
    if (diff.type === DIFF_TYPE.unchanged) continue;
    const note = typeof diff.note === "string" ? ` (${diff.note})` : "";
    if (diff.type === DIFF_TYPE.added) {
      count.added++;
      log.info(`+ ${labelOf(object)}${note}`);
    } else {
      count.modified++;
      log.info(`~ ${labelOf(object)}: ${changesText(live, wanted)}`);
    }
    for (const { field, owner } of taken) log.warn(`  ${field} is taken from ${owner}`);
  }
  for (const target of planned.removals) log.info(`- ${labelOf(target)}`);
  const removed = planned.removals.length;
  if (count.added + count.modified + removed === 0) log.info("No changes. The cluster matches.");
  else log.info(`Plan: ${count.added} to add, ${count.modified} to change, ${removed} to remove.`);
}

const SHOWN = 5;

function changesText(live: KubeObject | null, wanted: Readonly<Record<string, unknown>>): string {
  const [before, after] = maskedPair(live === null ? {} : comparable(live), comparable(wanted));
  const changes = diffValues(before, after).map((one) => `${one.path} ${brief(one.before)} → ${brief(one.after)}`);
  const more = changes.length > SHOWN ? `, and ${changes.length - SHOWN} more` : "";
  return `${changes.slice(0, SHOWN).join(", ")}${more}`;
}

function brief(value: unknown): string {
  if (value === undefined) return "(none)";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > 60 ? `${line.slice(0, 59)}…` : line;
}
