import { fail, ok, type Result } from "../../../protocol/errors.ts";
import { newId } from "../../../protocol/ids.ts";
import type { WorkspaceRow } from "../statements.ts";
import type { Store } from "../store.ts";
import { exactWorkspace } from "./workspaces.ts";

export interface WorkspaceOwner {
  readonly owner_id: string;
  readonly owner_type: string;
}

/** Workspaces a runner may have made itself. */
const OWNED_LIMIT = 1_000;

/** A workspace a runner asked for. Refused: one is there for this owner already, or it has made too many. */
export function createOwnedWorkspace(
  store: Store,
  runnerId: string,
  owner: WorkspaceOwner,
): Result<WorkspaceRow, "duplicate" | "too many"> {
  return store.db.transaction(() => {
    const made = store.db
      .prepare<WorkspaceOwner, [string]>("SELECT owner_id, owner_type FROM workspace_owners WHERE runner_id = ?")
      .all(runnerId);
    if (made.some((one) => one.owner_id === owner.owner_id && one.owner_type === owner.owner_type)) {
      return fail("duplicate");
    }
    if (made.length >= OWNED_LIMIT) return fail("too many");
    // Named by its id: a runner must not choose a name that somebody's job file means.
    const row = exactWorkspace(store, newId("workspace"));
    store.db
      .prepare<unknown, [string, string, string, string]>(
        "INSERT INTO workspace_owners (workspace_id, runner_id, owner_type, owner_id) VALUES (?, ?, ?, ?)",
      )
      .run(row.id, runnerId, owner.owner_type, owner.owner_id);
    return ok(row);
  }, "full");
}

/** Who a workspace was made for; null when it is one of the coordinator's own. */
export function ownerOf(store: Store, workspaceId: string): (WorkspaceOwner & { readonly runner_id: string }) | null {
  return store.db
    .prepare<WorkspaceOwner & { runner_id: string }, [string]>("SELECT * FROM workspace_owners WHERE workspace_id = ?")
    .get(workspaceId);
}

/** Workspaces that a runner made, or works or worked on, oldest first. */
export function workspacesOf(store: Store, runnerId: string, limit: number, offset: number): WorkspaceRow[] {
  return store.db
    .prepare<WorkspaceRow, [string, string, number, number]>(
      `SELECT * FROM workspaces WHERE id IN (SELECT workspace_id FROM workspace_owners WHERE runner_id = ?)
       OR id IN (SELECT j.workspace_id FROM executions e JOIN jobs j ON j.id = e.job_id WHERE e.runner_id = ?)
       ORDER BY created_at, id LIMIT ? OFFSET ?`,
    )
    .all(runnerId, runnerId, limit, offset);
}

/** Removes a workspace its maker no longer needs: never one with a state, a lock, or a job. */
export function deleteOwnedWorkspace(store: Store, runnerId: string, workspaceId: string): Result<null, string> {
  return store.db.transaction(() => {
    const workspace = store.sql.workspace.get(workspaceId);
    if (!workspace || ownerOf(store, workspaceId)?.runner_id !== runnerId) {
      return fail("only the runner that made a workspace may delete it");
    }
    if (workspace.state_id !== null) return fail("the workspace has a state; delete the state first");
    if (store.sql.lock.get(workspaceId)) return fail("the workspace is locked");
    const used = store.db.prepare<{ one: number }, [string]>(
      "SELECT 1 AS one FROM jobs WHERE workspace_id = ? LIMIT 1",
    );
    if (used.get(workspaceId)) return fail("jobs refer to the workspace");
    for (const table of ["workspace_owners", "state_json", "states"] as const) {
      store.db.prepare<unknown, [string]>(`DELETE FROM ${table} WHERE workspace_id = ?`).run(workspaceId);
    }
    store.db.prepare<unknown, [string]>("DELETE FROM workspaces WHERE id = ?").run(workspaceId);
    return ok(null);
  }, "full");
}

/** Forgets what `terraform show -json` said; the state itself stays. */
export function deleteStateJson(store: Store, workspaceId: string): void {
  store.db.transaction(() => {
    store.db.prepare<unknown, [string]>("DELETE FROM state_json WHERE workspace_id = ?").run(workspaceId);
  });
}
