import { createHash } from "node:crypto";
import { z } from "zod";
import { fail, ok, type Result } from "../../../protocol/errors.ts";
import { newId } from "../../../protocol/ids.ts";
import type { LockRow, WorkspaceRow } from "../statements.ts";
import type { Store } from "../store.ts";
import type { Refusal } from "../types.ts";
import { withSerial } from "./workspaces-serial.ts";

/** What tells versions of a state apart. */
export interface StateHead {
  readonly serial: number;
  readonly lineage: string;
  /** SHA-256 of the bytes, hex. */
  readonly sha256: string;
}

/** A stored version with its bytes. */
export interface StateVersion extends StateHead {
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly created_at: number;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** Who made a version, and out of what. */
export interface StateOrigin {
  readonly jobId: string | null;
  readonly executionId: string | null;
  readonly by: string;
  readonly why: string;
  readonly restoredFrom: number | null;
}

const stateHead = z.looseObject({ serial: z.number().int().optional(), lineage: z.string().optional() });

/** Serial and lineage of a state as terraform sends it; null when it is no JSON object. */
export function readHead(body: Uint8Array): Omit<StateHead, "sha256"> | null {
  try {
    const parsed = stateHead.safeParse(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body)));
    return parsed.success ? { serial: parsed.data.serial ?? 0, lineage: parsed.data.lineage ?? "" } : null;
  } catch {
    return null;
  }
}

/** The version that terraform gets; null: there is none. */
export function currentState(store: Store, workspace: WorkspaceRow): StateHead | null {
  if (workspace.state_id === null) return null;
  return store.db
    .prepare<StateHead, [string]>("SELECT serial, lineage, sha256 FROM states WHERE id = ?")
    .get(workspace.state_id);
}

/** Adds a version and makes it the current one. Inside a transaction. Answers its id. */
export function addState(
  store: Store,
  workspaceId: string,
  state: StateHead & { readonly body: Uint8Array },
  origin: StateOrigin,
): string {
  const { db } = store;
  const id = newId("state");
  db.run(
    db.kysely.insertInto("states").values({
      id,
      workspace_id: workspaceId,
      serial: state.serial,
      lineage: state.lineage,
      created_at: store.clock.now(),
      job_id: origin.jobId,
      execution_id: origin.executionId,
      bytes: state.body.byteLength,
      sha256: state.sha256,
      body: state.body,
      made_by: origin.by,
      why: origin.why,
      restored_from: origin.restoredFrom,
    }),
  );
  db.prepare<unknown, [string, string]>("UPDATE workspaces SET state_id = ? WHERE id = ?").run(id, workspaceId);
  prune(store, workspaceId);
  return id;
}

/** Old versions beyond what is kept go; the current one was just made, so it is never among them. */
function prune(store: Store, workspaceId: string): void {
  if (store.keepStates === 0) return;
  store.db
    .prepare<unknown, [string, string, number]>(
      `DELETE FROM states WHERE workspace_id = ?
       AND rowid <= (SELECT rowid FROM states WHERE workspace_id = ? ORDER BY rowid DESC LIMIT 1 OFFSET ?)`,
    )
    .run(workspaceId, workspaceId, store.keepStates);
}

/**
 * Makes the content of an old version the newest one, under the next serial: to terraform it is one more change of the
 * state. Refused while the workspace is locked. Answers the id of the new version.
 */
export function restoreState(
  store: Store,
  workspace: WorkspaceRow,
  wish: { readonly serial: number; readonly by: string; readonly why: string },
): Result<string, Refusal> {
  return store.db.transaction(() => {
    const held = store.sql.lock.get(workspace.id);
    if (held) return refused(`the workspace is locked by ${holderOf(held)}; wait for its end, or free the lock`);
    const old = versionOf(store, workspace.id, wish.serial);
    if (old === null) {
      return fail({ code: "not_found", message: `there is no serial ${wish.serial} of workspace ${workspace.name}` });
    }
    const current = currentState(store, workspace);
    if (current?.sha256 === old.sha256) return refused(`serial ${wish.serial} is the current state`);
    if (current && current.lineage !== old.lineage) {
      return refused(
        `serial ${wish.serial} is of another lineage (${old.lineage}) than the state (${current.lineage})`,
      );
    }
    const serial = 1 + Math.max(current?.serial ?? 0, newestSerial(store, workspace.id, old.lineage));
    const body = withSerial(old.body, serial);
    const sha256 = createHash("sha256").update(body).digest("hex");
    const origin = { jobId: null, executionId: null, by: wish.by, why: wish.why, restoredFrom: wish.serial };
    const id = addState(store, workspace.id, { serial, lineage: old.lineage, sha256, body }, origin);
    const why = `workspace ${workspace.name}, serial ${wish.serial} as ${serial}: ${wish.why}`;
    store.events.append({ what: "state-restored", by: wish.by, why });
    return ok(id);
  }, "full");
}

const refused = (message: string): Result<never, Refusal> => fail({ code: "illegal", message });

function holderOf(held: LockRow): string {
  const document = lockWho.safeParse(JSON.parse(held.document));
  const who = held.job_id === null ? (document.data?.Who ?? "somebody") : `job ${held.job_id}`;
  return `${who} since ${new Date(held.locked_at).toISOString()} (lock ${held.lock_id})`;
}
const lockWho = z.looseObject({ Who: z.string().optional() });

/** The newest version with this serial. */
export function versionOf(store: Store, workspaceId: string, serial: number): StateVersion | null {
  return store.db
    .prepare<StateVersion, [string, number]>(
      `SELECT id, serial, lineage, sha256, created_at, body FROM states WHERE workspace_id = ? AND serial = ?
       ORDER BY rowid DESC LIMIT 1`,
    )
    .get(workspaceId, serial);
}

function newestSerial(store: Store, workspaceId: string, lineage: string): number {
  const row = store.db
    .prepare<{ serial: number | null }, [string, string]>(
      "SELECT max(serial) AS serial FROM states WHERE workspace_id = ? AND lineage = ?",
    )
    .get(workspaceId, lineage);
  return row?.serial ?? 0;
}
