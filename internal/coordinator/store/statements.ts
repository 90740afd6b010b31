import type { Db } from "./db.ts";
import type { ExecutionsTable, JobsTable, LocksTable, LogStreamsTable, WorkspacesTable } from "./schema.ts";

export type JobRow = JobsTable;
export type ExecutionRow = ExecutionsTable;
export type LockRow = LocksTable;
export type LogStreamRow = LogStreamsTable;
export type WorkspaceRow = WorkspacesTable;
/** A job with its place in the queue. */
export type QueuedRow = JobRow & { readonly rowid: number };

export type Statements = ReturnType<typeof createStatements>;

const WAITING = "status IN ('queued', 'available') AND parked = 0";

/** Prepared reads of the hot paths. Writes stand in the transition that owns them. */
export function createStatements(db: Db) {
  return {
    job: db.prepare<JobRow, [string]>("SELECT * FROM jobs WHERE id = ?"),
    execution: db.prepare<ExecutionRow, [string]>("SELECT * FROM executions WHERE id = ?"),
    executionsOfJob: db.prepare<ExecutionRow, [string]>("SELECT * FROM executions WHERE job_id = ? ORDER BY epoch"),
    /** Executions that have not ended, lost ones included. */
    openOfRunner: db.prepare<ExecutionRow, [string]>(
      "SELECT * FROM executions WHERE runner_id = ? AND finished_at IS NULL",
    ),
    open: db.prepare<ExecutionRow, []>("SELECT * FROM executions WHERE finished_at IS NULL"),
    openOfJob: db.prepare<ExecutionRow, [string]>(
      "SELECT * FROM executions WHERE job_id = ? AND finished_at IS NULL ORDER BY epoch DESC",
    ),
    /** GPUs that running executions hold, each row a JSON array. */
    gpusInUse: db.prepare<{ gpus: string }, [string]>(
      "SELECT gpus FROM executions WHERE runner_id = ? AND finished_at IS NULL AND lost_at IS NULL AND gpus <> '[]'",
    ),
    /** Running executions per runner and group. */
    running: db.prepare<{ runner_id: string; job_group: string; n: number }, []>(
      `SELECT e.runner_id, j.job_group, count(*) AS n FROM executions e JOIN jobs j ON j.id = e.job_id
       WHERE e.finished_at IS NULL AND e.lost_at IS NULL GROUP BY e.runner_id, j.job_group`,
    ),
    waiting: db.prepare<QueuedRow, [number]>(`SELECT rowid, * FROM jobs WHERE ${WAITING} ORDER BY rowid LIMIT ?`),
    /** Oldest first, behind a rowid, for one runner. */
    waitingInGroup: db.prepare<QueuedRow, [string, string, number, number]>(
      `SELECT rowid, * FROM jobs WHERE job_group = ? AND ${WAITING} AND (runner_id IS NULL OR runner_id = ?)
       AND rowid > ? ORDER BY rowid LIMIT ?`,
    ),
    plan: db.prepare<{ text: string }, [string]>("SELECT text FROM plans WHERE job_id = ?"),
    documents: db.prepare<{ kind: string; json: string }, [string]>(
      "SELECT kind, json FROM documents WHERE job_id = ?",
    ),
    documentId: db.prepare<{ job_id: string; kind: string; name: string }, [string]>(
      "SELECT job_id, kind, name FROM document_ids WHERE id = ?",
    ),
    logStream: db.prepare<LogStreamRow, [string]>("SELECT * FROM log_streams WHERE id = ?"),
    workspace: db.prepare<WorkspaceRow, [string]>("SELECT * FROM workspaces WHERE id = ?"),
    lock: db.prepare<LockRow, [string]>("SELECT * FROM locks WHERE workspace_id = ?"),
  };
}
