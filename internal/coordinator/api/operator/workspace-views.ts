import type { DriftDoc, StateDoc, WorkspaceDoc } from "../../../protocol/operator.ts";
import type { DriftChecksTable } from "../../store/schema.ts";
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
  readonly made_by: string;
  readonly why: string;
  readonly restored_from: number | null;
}

const COLUMNS = "id, serial, lineage, created_at, job_id, bytes, sha256, made_by, why, restored_from";

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
    drift: lastDrift(store, row.id),
  };
}

function lastDrift(store: Store, workspaceId: string): DriftDoc | null {
  const row = store.db
    .prepare<DriftChecksTable, [string]>(
      "SELECT * FROM drift_checks WHERE workspace_id = ? ORDER BY rowid DESC LIMIT 1",
    )
    .get(workspaceId);
  if (row === null) return null;
  return {
    job: row.job_id,
    change: row.change_id,
    status: row.status,
    summary: row.summary,
    requested_by: row.requested_by,
    requested_at: at(row.requested_at),
    checked_at: atOrNull(row.checked_at),
  };
}

const stateById = (store: Store, id: string) =>
  store.db.prepare<StateRow, [string]>(`SELECT ${COLUMNS} FROM states WHERE id = ?`).get(id);

const stateView = ({ created_at, made_by, ...row }: StateRow, workspace: WorkspaceRow): StateDoc => ({
  ...row,
  created_at: at(created_at),
  by: made_by,
  current: row.id === workspace.state_id,
});

/** Versions of the state, newest first. */
export function statesOf(store: Store, workspace: WorkspaceRow): StateDoc[] {
  return store.db
    .prepare<StateRow, [string]>(`SELECT ${COLUMNS} FROM states WHERE workspace_id = ? ORDER BY rowid DESC LIMIT 1000`)
    .all(workspace.id)
    .map((row) => stateView(row, workspace));
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
