import { createHash } from "node:crypto";
import { z } from "zod";
import { fail, ok, type Result, RunnerError } from "../../../protocol/errors.ts";
import { newId } from "../../../protocol/ids.ts";
import type { LockDoc } from "../../../protocol/operator.ts";
import type { ExecutionRow, LockRow, WorkspaceRow } from "../statements.ts";
import type { Store } from "../store.ts";
import { addState, currentState, readHead, type StateHead } from "./workspaces-states.ts";

/** Who writes: ids are null for the operator. */
export interface StateWriter {
  readonly runnerId: string | null;
  readonly jobId: string | null;
  readonly execution: ExecutionRow | null;
}

/** Held: the holder's document. Stale: this execution may not begin anything new. */
export type LockRefusal =
  | { readonly kind: "held"; readonly lock: LockDoc }
  | { readonly kind: "stale"; readonly message: string };

export type StateRefusal = LockRefusal | { readonly kind: "invalid" | "conflict"; readonly message: string };

/** The workspace of this name, made when it is missing. */
export function ensureWorkspace(store: Store, name: string): WorkspaceRow {
  return store.db.transaction(() => {
    const select = store.db.prepare<WorkspaceRow, [string]>("SELECT * FROM workspaces WHERE name = ?");
    const known = select.get(name);
    if (known) return known;
    return addWorkspace(store, newId("workspace"), name);
  });
}

/** The workspace of this id, which an exact plan names; made under that id, and named by it, when there is none. */
export function exactWorkspace(store: Store, id: string): WorkspaceRow {
  return store.db.transaction(() => {
    const known = store.db.prepare<WorkspaceRow, [string]>("SELECT * FROM workspaces WHERE id = ?").get(id);
    if (known) return known;
    const named = store.db.prepare<WorkspaceRow, [string]>("SELECT * FROM workspaces WHERE name = ?").get(id);
    if (named) {
      throw new RunnerError("usage", `WorkspaceID ${JSON.stringify(id)} is the name of a workspace, not its id`, {
        remedy: `Write its id: ${named.id}.`,
      });
    }
    return addWorkspace(store, id, id);
  });
}

function addWorkspace(store: Store, id: string, name: string): WorkspaceRow {
  const row: WorkspaceRow = { id, name, created_at: store.clock.now(), state_id: null };
  store.db
    .prepare<unknown, [string, string, number]>("INSERT INTO workspaces (id, name, created_at) VALUES (?, ?, ?)")
    .run(row.id, row.name, row.created_at);
  return row;
}

/** The id in a lock document, in any case of its key; null without one. */
export function lockIdOf(document: unknown): string | null {
  const parsed = lockInput.safeParse(fold(document));
  return parsed.success ? parsed.data.ID : null;
}

const lockInput = z.looseObject({ ID: z.string().min(1) });

/** Locks for one lock id; repeating it with the same id is fine, because the first answer may have been lost. */
export function lockWorkspace(
  store: Store,
  workspaceId: string,
  document: unknown,
  writer: StateWriter,
): Result<LockDoc, LockRefusal | { readonly kind: "invalid"; readonly message: string }> {
  const parsed = lockInput.safeParse(fold(document));
  if (!parsed.success) return fail({ kind: "invalid", message: "a lock needs its ID" });
  return store.db.transaction(() => {
    const held = store.sql.lock.get(workspaceId);
    if (held)
      return held.lock_id === parsed.data.ID ? ok(lockDocOf(held)) : fail({ kind: "held", lock: lockDocOf(held) });
    const ended = writer.execution !== null && !mayBegin(store, writer.execution);
    if (ended)
      return fail({ kind: "stale", message: "this execution has ended or lost its lease; it locks nothing more" });
    const row: LockRow = {
      workspace_id: workspaceId,
      lock_id: parsed.data.ID,
      document: JSON.stringify(parsed.data),
      runner_id: writer.runnerId,
      job_id: writer.jobId,
      execution_id: writer.execution?.id ?? null,
      locked_at: store.clock.now(),
    };
    const { db } = store;
    db.run(db.kysely.insertInto("locks").values(row));
    lockEvent(store, row, "locked", writer.runnerId === null ? "admin" : `runner:${writer.runnerId}`);
    return ok(lockDocOf(row));
  }, "full");
}

/** An unlock with an id frees that lock only; one without frees a lock of this runner whose job no longer runs. */
export function unlockWorkspace(
  store: Store,
  workspaceId: string,
  document: unknown,
  runnerId: string,
): Result<null, { readonly kind: "held"; readonly lock: LockDoc }> {
  const parsed = lockInput.safeParse(fold(document));
  return store.db.transaction(() => {
    const held = store.sql.lock.get(workspaceId);
    if (!held) return ok(null);
    if (parsed.success) {
      if (parsed.data.ID !== held.lock_id) return fail({ kind: "held", lock: lockDocOf(held) });
      removeLock(store, held, `runner:${runnerId}`);
    } else if (held.runner_id === runnerId && !jobRuns(store, held)) {
      removeLock(store, held, `runner:${runnerId}`);
    }
    return ok(null);
  }, "full");
}

/** A person frees a lock. null: it was free. */
export function forceUnlock(store: Store, workspaceId: string, by: string): LockDoc | null {
  return store.db.transaction(() => {
    const held = store.sql.lock.get(workspaceId);
    if (!held) return null;
    removeLock(store, held, by);
    return lockDocOf(held);
  }, "full");
}

/**
 * Stores a version of the state. The holder of the lock may always save. While nobody holds it, a state of another
 * lineage is refused, and under a lock that was freed also one that is not newer; without a lock id an older serial is
 * taken (DESIGN invariant 5). Versions are kept, so what replaces instead of continuing is an event. The same bytes
 * again change nothing.
 */
export function saveState(
  store: Store,
  workspaceId: string,
  body: Uint8Array,
  lockId: string | null,
  writer: StateWriter,
): Result<null, StateRefusal> {
  const head = readHead(body);
  if (head === null) return fail({ kind: "invalid", message: "the state is not a JSON object" });
  return store.db.transaction(() => {
    const workspace = store.sql.workspace.get(workspaceId);
    if (!workspace) return fail({ kind: "invalid", message: "workspace not found" });
    const held = store.sql.lock.get(workspaceId);
    const holder = held !== null && held.lock_id === lockId;
    if (held && !holder) return fail({ kind: "held", lock: lockDocOf(held) });
    const sha256 = createHash("sha256").update(body).digest("hex");
    const current = currentState(store, workspace);
    if (current?.sha256 === sha256) return ok(null);
    const gap = current === null ? null : discontinuity(current, head);
    const taken = holder || (lockId === null && gap?.kind === "serial");
    if (gap !== null && !taken) return fail({ kind: "conflict", message: gap.message });
    const by = writer.runnerId === null ? "admin" : `runner:${writer.runnerId}`;
    const origin = { jobId: writer.jobId, executionId: writer.execution?.id ?? null, by, why: "", restoredFrom: null };
    addState(store, workspaceId, { ...head, sha256, body }, origin);
    if (gap !== null) {
      const why = `workspace ${workspace.name}, serial ${head.serial} of lineage ${head.lineage} in its place: ${gap.message}`;
      store.events.append({ what: "state-replaced", by, why, jobId: writer.jobId, runnerId: writer.runnerId });
    }
    return ok(null);
  }, "full");
}

/** Why a state does not continue the one that is stored; null: it does. */
function discontinuity(
  current: StateHead,
  next: Omit<StateHead, "sha256">,
): { readonly kind: "lineage" | "serial"; readonly message: string } | null {
  const message = `the state stored is serial ${current.serial} of lineage ${current.lineage}`;
  if (current.lineage !== next.lineage && current.lineage !== "") return { kind: "lineage", message };
  return next.serial > current.serial ? null : { kind: "serial", message };
}

/** Forgets the current state; versions stay. */
export function deleteState(store: Store, workspaceId: string, writer: StateWriter): Result<null, StateRefusal> {
  return store.db.transaction(() => {
    const held = store.sql.lock.get(workspaceId);
    if (held && (held.execution_id !== (writer.execution?.id ?? null) || held.runner_id !== writer.runnerId)) {
      return fail({ kind: "held", lock: lockDocOf(held) });
    }
    store.db.prepare<unknown, [string]>("UPDATE workspaces SET state_id = NULL WHERE id = ?").run(workspaceId);
    store.events.append({
      what: "state-deleted",
      by: writer.runnerId === null ? "admin" : `runner:${writer.runnerId}`,
      jobId: writer.jobId,
      runnerId: writer.runnerId,
      executionId: writer.execution?.id ?? null,
    });
    return ok(null);
  }, "full");
}

/** The current document, null when there is none. */
export function readState(store: Store, workspaceId: string): Uint8Array | null {
  const row = store.db
    .prepare<{ body: Uint8Array }, [string]>(
      "SELECT s.body FROM states s JOIN workspaces w ON w.state_id = s.id WHERE w.id = ?",
    )
    .get(workspaceId);
  return row?.body ?? null;
}

/** What was stored for display last; null: nothing. */
export function readStateJson(store: Store, workspaceId: string): string | null {
  return (
    store.db.prepare<{ json: string }, [string]>("SELECT json FROM state_json WHERE workspace_id = ?").get(workspaceId)
      ?.json ?? null
  );
}

/** `terraform show -json` for display, as it came. */
export function saveStateJson(store: Store, workspaceId: string, jobId: string | null, json: string): void {
  store.db.transaction(() => {
    store.db
      .prepare<unknown, [string, string | null, string, number]>(
        `INSERT INTO state_json (workspace_id, job_id, json, updated_at) VALUES (?, ?, ?, ?)
         ON CONFLICT (workspace_id) DO UPDATE SET job_id = excluded.job_id, json = excluded.json,
         updated_at = excluded.updated_at`,
      )
      .run(workspaceId, jobId, json, store.clock.now());
  });
}

/** null: free. */
export function lockOf(store: Store, workspaceId: string): LockDoc | null {
  const held = store.sql.lock.get(workspaceId);
  return held ? lockDocOf(held) : null;
}

/** The lock document for people and for Terraform: what the holder sent, and who that is. */
export function lockDocOf(row: LockRow): LockDoc {
  const sent = JSON.parse(row.document) as Record<string, unknown>;
  const text = (key: string) => (typeof sent[key] === "string" ? sent[key] : "");
  return {
    ...sent,
    ID: row.lock_id,
    Operation: text("Operation"),
    Info: text("Info"),
    Who: text("Who"),
    Version: text("Version"),
    // Terraform refuses the whole document when this is no time, and then names nobody.
    Created: Number.isNaN(Date.parse(text("Created"))) ? new Date(row.locked_at).toISOString() : text("Created"),
    Path: text("Path"),
    job_id: row.job_id,
    execution_id: row.execution_id,
    runner_id: row.runner_id,
    locked_at: new Date(row.locked_at).toISOString(),
  };
}

/** An execution whose lease ran out may go on while nobody else has the job; one that ended or was replaced may not. */
function mayBegin(store: Store, execution: ExecutionRow): boolean {
  const job = store.sql.job.get(execution.job_id);
  return execution.finished_at === null && job?.epoch === execution.epoch;
}

function jobRuns(store: Store, lock: LockRow): boolean {
  if (lock.execution_id !== null) {
    const execution = store.sql.execution.get(lock.execution_id);
    return execution !== null && execution.finished_at === null;
  }
  return lock.job_id !== null && store.sql.job.get(lock.job_id)?.status === "in-progress";
}

function removeLock(store: Store, held: LockRow, by: string): void {
  store.db.prepare<unknown, [string]>("DELETE FROM locks WHERE workspace_id = ?").run(held.workspace_id);
  lockEvent(store, held, "unlocked", by);
}

function lockEvent(store: Store, lock: LockRow, what: string, by: string): void {
  const name = store.sql.workspace.get(lock.workspace_id)?.name ?? lock.workspace_id;
  store.events.append({
    what,
    by,
    why: `workspace ${name}, lock ${lock.lock_id}`,
    jobId: lock.job_id,
    changeId: lock.job_id === null ? null : (store.sql.job.get(lock.job_id)?.change_id ?? null),
    runnerId: lock.runner_id,
    executionId: lock.execution_id,
  });
}

/** Keys of a lock document are capitalised by Terraform; Go reads them in any case. */
function fold(document: unknown): unknown {
  if (document === null || typeof document !== "object" || Array.isArray(document)) return document;
  return Object.fromEntries(
    Object.entries(document).map(([key, value]) => [key.toLowerCase() === "id" ? "ID" : key, value]),
  );
}
