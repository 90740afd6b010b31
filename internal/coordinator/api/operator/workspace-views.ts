import type { z } from "zod";
import type { stateDoc, WorkspaceDoc } from "../../../protocol/operator.ts";
import type { LockRow, WorkspaceRow } from "../../store/statements.ts";
import type { Store } from "../../store/store.ts";
import { lockDocOf } from "../../store/transitions/workspaces.ts";
import { at, atOrNull } from "./job-views.ts";

interface StateRow {
  readonly id: string;
  readonly serial: number;
  readonly lineage: string;
  readonly created_at: number;
  readonly job_id: string | null;
  readonly bytes: number;
  readonly sha256: string;
}

const COLUMNS = "id, serial, lineage, created_at, job_id, bytes, sha256";

export function allWorkspaces(store: Store): WorkspaceRow[] {
  return store.db.prepare<WorkspaceRow, []>("SELECT * FROM workspaces ORDER BY name").all();
}

export function workspaceByName(store: Store, name: string): WorkspaceRow | null {
  return store.db.prepare<WorkspaceRow, [string]>("SELECT * FROM workspaces WHERE name = ?").get(name);
}

export function workspaceView(store: Store, row: WorkspaceRow): WorkspaceDoc {
  const current = row.state_id === null ? null : stateById(store, row.state_id);
  const counted = store.db
    .prepare<{ n: number }, [string]>("SELECT count(*) AS n FROM states WHERE workspace_id = ?")
    .get(row.id);
  const lock = store.sql.lock.get(row.id);
  return {
    id: row.id,
    name: row.name,
    created_at: at(row.created_at),
    serial: current?.serial ?? null,
    lineage: current?.lineage ?? null,
    updated_at: atOrNull(current?.created_at ?? null),
    states: counted?.n ?? 0,
    lock: lock === null ? null : lockDocOf(lock),
  };
}

const stateById = (store: Store, id: string) =>
  store.db.prepare<StateRow, [string]>(`SELECT ${COLUMNS} FROM states WHERE id = ?`).get(id);

/** Versions of the state, newest first. */
export function statesOf(store: Store, workspace: WorkspaceRow): z.infer<typeof stateDoc>[] {
  return store.db
    .prepare<StateRow, [string]>(`SELECT ${COLUMNS} FROM states WHERE workspace_id = ? ORDER BY rowid DESC LIMIT 1000`)
    .all(workspace.id)
    .map((row) => ({ ...row, created_at: at(row.created_at) }));
}

/** The newest version with this serial, as terraform sent it. */
export function stateBody(store: Store, workspace: WorkspaceRow, serial: number): Uint8Array<ArrayBuffer> | null {
  const row = store.db
    .prepare<{ body: Uint8Array<ArrayBuffer> }, [string, number]>(
      "SELECT body FROM states WHERE workspace_id = ? AND serial = ? ORDER BY rowid DESC LIMIT 1",
    )
    .get(workspace.id, serial);
  return row?.body ?? null;
}

/** The execution behind a lock still works: its lease holds, or its runner may yet come back. */
export function holderIsAlive(store: Store, lock: LockRow): boolean {
  if (lock.execution_id !== null) return store.sql.execution.get(lock.execution_id)?.finished_at === null;
  return lock.job_id !== null && store.sql.job.get(lock.job_id)?.status === "in-progress";
}
