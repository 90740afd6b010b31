import { ok, type Result } from "../../../protocol/errors.ts";
import type { DriftDoc, StateDiff, StateDoc, WorkspaceDoc } from "../../../protocol/operator.ts";
import { readStateFile, shownMarks } from "../../compile/terraform-state.ts";
import { compareStates } from "../../compile/terraform-state-diff.ts";
import type { DriftChecksTable } from "../../store/schema.ts";
import type { LockRow, WorkspaceRow } from "../../store/statements.ts";
import type { Store } from "../../store/store.ts";
import { lockDocOf } from "../../store/transitions/workspaces.ts";
import type { StateVersion } from "../../store/transitions/workspaces-states.ts";
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

/** The version with this id. */
export function stateOf(store: Store, workspace: WorkspaceRow, id: string): StateDoc | null {
  const row = stateById(store, id);
  return row === null ? null : stateView(row, workspace);
}

/** The version before a serial, null when it is the first that is kept. */
export function serialBefore(store: Store, workspace: WorkspaceRow, serial: number): number | null {
  const row = store.db
    .prepare<{ serial: number | null }, [string, number]>(
      "SELECT max(serial) AS serial FROM states WHERE workspace_id = ? AND serial < ?",
    )
    .get(workspace.id, serial);
  return row?.serial ?? null;
}

/** What differs between two versions; a RunnerError (conflict) when one of them cannot be read. */
export function diffOfStates(
  workspace: WorkspaceRow,
  versions: { readonly from: StateVersion; readonly to: StateVersion },
  shownJson: string | null,
): Result<StateDiff> {
  const marks = shownMarks(shownJson);
  const from = readStateFile(versions.from.body, marks);
  if (!from.ok) return from;
  const to = readStateFile(versions.to.body, marks);
  if (!to.ok) return to;
  const { lines, ...compared } = compareStates(from.value, to.value);
  const sides = { from: sideOf(versions.from), to: sideOf(versions.to) };
  const { added, removed, changed, outputs } = compared.summary;
  const lineage = sides.from.lineage === sides.to.lineage ? [] : ["The lineage differs: these are two states.", ""];
  const head = `${workspace.name}: serial ${sides.from.serial} -> ${sides.to.serial}`;
  const total = `${added} added, ${removed} removed, ${changed} changed; outputs: ${outputs} changed.`;
  const body = lines.length === 0 ? ["No differences."] : [...lines, total];
  return ok({
    workspace: workspace.name,
    ...sides,
    ...compared,
    text: `${[head, "", ...lineage, ...body].join("\n")}\n`,
  });
}

const sideOf = ({ serial, lineage, created_at }: StateVersion) => ({ serial, lineage, created_at: at(created_at) });

/** The execution behind a lock still works: its lease holds, or its runner may yet come back. */
export function holderIsAlive(store: Store, lock: LockRow): boolean {
  if (lock.execution_id !== null) return store.sql.execution.get(lock.execution_id)?.finished_at === null;
  return lock.job_id !== null && store.sql.job.get(lock.job_id)?.status === "in-progress";
}
