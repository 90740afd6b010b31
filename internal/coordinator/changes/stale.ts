import { z } from "zod";
import { planBase, STALE_REMEDY, staleReason } from "../../kit/terraform/plan-base.ts";
import type { Store } from "../store/store.ts";
import { currentState } from "../store/transitions/workspaces-states.ts";
import type { ChangeRow } from "./change-rows.ts";

/** A version of the state by its marks; null: there was no state. */
const base = z.object({ serial: z.number(), lineage: z.string(), sha256: z.string().nullable() }).nullable();
type Base = z.infer<typeof base>;

/** What the change logic keeps in `changes.spec`. */
const spec = z.object({
  /** The state its plan was made on; absent until there is a plan, and for changes without a workspace. */
  base: base.optional(),
  /** How long it waits for a person, from its job file. */
  approval_ms: z.number().optional(),
});

/** The change logic's own notes about a change. */
export function changeSpec(change: ChangeRow): z.infer<typeof spec> {
  return spec.parse(JSON.parse(change.spec));
}

/**
 * The state that a saved plan (standard base64) was made on. The plan itself says so; a plan that does not is taken as
 * made on the state that is there when it arrives. undefined: this change has no state.
 */
export function recordedBase(store: Store, change: ChangeRow, contents: string): Base | undefined {
  const workspace = change.workspace_id === null ? null : store.sql.workspace.get(change.workspace_id);
  if (workspace === null) return undefined;
  const now = currentState(store, workspace);
  const said = planBase(Buffer.from(contents, "base64"));
  if (said === null) return now;
  const same = now !== null && now.serial === said.serial && now.lineage === said.lineage;
  return { serial: said.serial, lineage: said.lineage, sha256: same ? now.sha256 : null };
}

/** Why the plan of this change does not fit the state any more; null: it fits, or there is nothing to compare. */
export function staleNow(store: Store, change: ChangeRow): string | null {
  const { base: made } = changeSpec(change);
  const workspace = change.workspace_id === null ? null : store.sql.workspace.get(change.workspace_id);
  if (made === undefined || workspace === null) return null;
  const now = currentState(store, workspace);
  const stale = staleReason(made, now);
  if (stale !== null) return `${stale}; ${STALE_REMEDY}`;
  const replaced = made?.sha256 != null && now !== null && made.sha256 !== now.sha256;
  return replaced ? `stale_plan: the state was replaced under the same serial ${now.serial}; ${STALE_REMEDY}` : null;
}
