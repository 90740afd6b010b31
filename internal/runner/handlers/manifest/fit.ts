import { existsSync, writeFileSync } from "node:fs";
import { RunnerError } from "../../../protocol/errors.ts";
import { DIFF_TYPE, type ResourceDiff } from "../../../protocol/nuon/resource-diffs.ts";
import type { JobContext } from "../../handler.ts";
import { keyOf, labelOf } from "./cluster.ts";
import type { Comparison } from "./compare.ts";
import type { Planned } from "./planning.ts";
import type { Target } from "./removal.ts";
import type { Binding, SavedPlan } from "./saved-plan.ts";

const AGAIN = "Make the plan again and approve that one.";

/** Once a plan has been found to fit, its own changes must not make it unfit: a restart goes on. */
export const fitMark = (ctx: Pick<JobContext<unknown>, "workspace">) => {
  const path = ctx.workspace.path("fits");
  return { made: () => existsSync(path), make: () => writeFileSync(path, "", { mode: 0o600 }) };
};

/**
 * What would happen now is what was approved: the same manifest and options, and for each object either the very
 * version the plan saw, or the same difference. Throws RunnerError (conflict) that names what changed since.
 */
export function refuseUnfit(saved: SavedPlan, now: Planned, log: JobContext<unknown>["log"]): void {
  if (saved.binding === null) {
    refuseForeign(saved, now, log);
    return;
  }
  refuseOtherManifest(saved.binding, now.manifestSha256);
  const approved = new Map(saved.diffs.map((diff) => [diffKey(diff), diff]));
  for (const one of now.compared) {
    const why = changedSince(saved.binding, one, approved.get(diffKey(one.diff)) ?? null);
    if (why !== null) throw stale(`${labelOf(one.object)} ${why} since the plan was made`);
  }
  refuseOtherRemovals(saved.binding, now.removals);
}

/** Only objects that the plan named go, and only if they are still the ones it saw. */
export function refuseOtherRemovals(binding: Binding, removals: readonly Target[]): void {
  const named = new Map(binding.removals.map((one) => [keyOf(one), one.uid]));
  for (const target of removals) {
    const uid = named.get(keyOf(target));
    if (uid === undefined) throw stale(`${labelOf(target)} would be removed, which the plan does not say`);
    if (uid !== target.uid) throw stale(`${labelOf(target)} was made anew since the plan was made`);
  }
}

export function refuseOtherManifest(binding: Binding, sha256: string): void {
  if (binding.manifest_sha256 !== sha256) throw stale("the manifest or its options are not those of the plan");
}

function changedSince(binding: Binding, { object, live, diff }: Comparison, approved: ResourceDiff | null) {
  const planned = binding.objects[keyOf(object)];
  if (planned === undefined) return "is new in the manifest";
  const version = live?.metadata?.resourceVersion ?? null;
  if (planned.version === version && planned.uid === (live?.metadata?.uid ?? "")) return null;
  if (version === null) return "was removed";
  if (planned.version === null) return "was made by somebody else";
  if (planned.uid !== live?.metadata?.uid) return "was made anew";
  // Hidden values cannot be compared, and nothing but a change of them gives a Secret a new version.
  if (object.kind === "Secret") return "has changed";
  // Its status may have changed, or what the plan does not touch.
  const same = Bun.deepEquals(approved?.entries ?? [], diff.entries ?? []);
  return same ? null : "has changed";
}

/** A Go runner's plan says only what differs; at least nothing that it does not name may change. */
function refuseForeign(saved: SavedPlan, now: Planned, log: JobContext<unknown>["log"]): void {
  log.warn("another runner made this plan, so it is compared only by the objects it names");
  const named = new Set(saved.diffs.map(diffKey));
  for (const { object, diff } of now.compared) {
    if (diff.type !== DIFF_TYPE.unchanged && !named.has(diffKey(diff))) {
      throw stale(`${labelOf(object)} would change, which the plan does not say`);
    }
  }
}

const diffKey = ({ api, kind, namespace, name }: ResourceDiff) => [api, kind, namespace ?? "", name].join("/");

const stale = (why: string) => new RunnerError("conflict", `stale_plan: ${why}`, { remedy: AGAIN });
