import type { Store } from "../store.ts";

/** How long what has ended is kept, in milliseconds. */
export interface Retention {
  /** Jobs and changes that have ended, their logs and events; null: for ever. */
  readonly endedMs: number | null;
  /** Plans and submissions of jobs that did not finish well: they hold resolved secrets, and a retry needs them. */
  readonly plansMs: number;
}

export const DEFAULT_RETENTION: Retention = { endedMs: 30 * 86_400_000, plansMs: 86_400_000 };
/** A job that finished well is rarely tried again: its secrets go after this, or sooner when `plansMs` says so. */
const FINISHED_PLANS_MS = 10 * 60_000;
/** Of each kind, in one round: a round must not hold up the queue. */
const BATCH = 100;

/** One round; answers the log streams whose files may go, once this has returned. Nothing that lives is touched. */
export function prune(store: Store, { endedMs, plansMs }: Retention): string[] {
  const now = store.clock.now();
  return store.db.transaction(() => {
    const finishedMs = Math.min(plansMs, FINISHED_PLANS_MS);
    forgetPlans(store, "finished", "status = 'finished'", now - finishedMs);
    forgetPlans(store, "other", "status != 'finished'", now - plansMs);
    forgetChangePlans(store, now - plansMs);
    return endedMs === null ? [] : forgetEnded(store, now - endedMs);
  });
}

/** Kind of the document that stands for a plan that is gone: such a job cannot be tried again. */
export const PRUNED = "pruned";

interface Ended {
  readonly id: string;
  readonly finished_at: number;
}

/** The next jobs or changes that ended before `until`, each seen once: where it stands outlives a restart. */
function next(store: Store, what: { name: string; table: "jobs" | "changes"; where: string }, until: number): Ended[] {
  const key = `pruned:${what.name}`;
  const read = store.db.prepare<{ value: string }, [string]>("SELECT value FROM settings WHERE key = ?");
  const [at = "0", id = ""] = (read.get(key)?.value ?? "").split(" ");
  const rows = store.db
    .prepare<Ended, [number, string, number, number]>(
      `SELECT id, finished_at FROM ${what.table} WHERE (finished_at, id) > (?, ?) AND finished_at <= ? AND ${what.where}
       ORDER BY finished_at, id LIMIT ?`,
    )
    .all(Number(at) || 0, id, until, BATCH);
  const last = rows.at(-1);
  if (last)
    store.db
      .prepare<unknown, [string, string]>("INSERT OR REPLACE INTO settings (key, value) VALUES (?, ?)")
      .run(key, `${last.finished_at} ${last.id}`);
  return rows;
}

function forgetPlans(store: Store, name: string, where: string, until: number): void {
  for (const { id } of next(
    store,
    { name: `plans:${name}`, table: "jobs", where: `change_id IS NULL AND ${where}` },
    until,
  ))
    forgetPlan(store, id);
}

/** The last finished change of a workspace keeps its submission: a check for drift plans it again. */
function forgetChangePlans(store: Store, until: number): void {
  const { db } = store;
  const jobs = db.prepare<{ id: string; workspace_id: string | null }, [string]>(
    "SELECT id, workspace_id FROM jobs WHERE change_id = ?",
  );
  for (const { id } of next(store, { name: "plans:changes", table: "changes", where: "1" }, until)) {
    const workspace = db
      .prepare<{ workspace_id: string | null }, [string]>("SELECT workspace_id FROM changes WHERE id = ?")
      .get(id)?.workspace_id;
    const kept = workspace ? lastFinished(store, workspace) : null;
    for (const job of jobs.all(id)) forgetPlan(store, job.id, id === kept);
    if (!workspace || id !== kept) continue;
    // The one that was kept until now has been followed by this one.
    const older = db.prepare<{ id: string }, [string, string, number]>(
      `SELECT j.id FROM changes c JOIN jobs j ON j.change_id = c.id
       WHERE c.workspace_id = ? AND c.id != ? AND c.finished_at <= ?
       AND EXISTS (SELECT 1 FROM documents d WHERE d.job_id = j.id AND d.kind = 'submission')`,
    );
    for (const job of older.all(workspace, id, until)) forgetPlan(store, job.id);
  }
}

function lastFinished(store: Store, workspaceId: string): string | null {
  const found = store.db
    .prepare<{ id: string }, [string]>(
      `SELECT id FROM changes WHERE workspace_id = ? AND status = 'finished'
       ORDER BY finished_at DESC, created_at DESC LIMIT 1`,
    )
    .get(workspaceId);
  return found?.id ?? null;
}

function forgetPlan({ db }: Store, jobId: string, keepSubmission = false): void {
  db.prepare<unknown, [string]>("DELETE FROM plans WHERE job_id = ?").run(jobId);
  const kept = keepSubmission ? " AND kind NOT IN ('submission', 'sources')" : "";
  db.prepare<unknown, [string]>(`DELETE FROM documents WHERE job_id = ?${kept}`).run(jobId);
  db.prepare<unknown, [string]>("DELETE FROM document_ids WHERE job_id = ?").run(jobId);
  db.prepare<unknown, [string, string]>(
    "INSERT OR REPLACE INTO documents (job_id, kind, json) VALUES (?, ?, 'null')",
  ).run(jobId, PRUNED);
}

/** Nobody works at it, holds a lock for it, or measures drift by it. */
const AT_REST = `NOT EXISTS (SELECT 1 FROM executions e WHERE e.job_id = j.id AND e.finished_at IS NULL)
  AND NOT EXISTS (SELECT 1 FROM locks l WHERE l.job_id = j.id)`;
const NOT_LAST = `NOT EXISTS (SELECT 1 FROM changes c WHERE c.id = j.change_id AND (c.finished_at IS NULL OR c.finished_at >= ?1
  OR (c.status = 'finished' AND c.id = (SELECT x.id FROM changes x WHERE x.workspace_id = c.workspace_id
    AND x.status = 'finished' ORDER BY x.finished_at DESC, x.created_at DESC LIMIT 1))))`;

function forgetEnded(store: Store, until: number): string[] {
  const { db } = store;
  // The trigger lets events go that are older than this.
  db.prepare<unknown, [string]>("INSERT OR REPLACE INTO settings (key, value) VALUES ('events-kept-from', ?)").run(
    String(until),
  );
  const jobs = db
    .prepare<{ id: string }, [number, number]>(
      `SELECT j.id FROM jobs j WHERE j.finished_at < ?1 AND ${AT_REST} AND ${NOT_LAST} ORDER BY j.finished_at LIMIT ?2`,
    )
    .all(until, BATCH);
  const streams = jobs.flatMap(({ id }) => forgetJob(store, id, until));
  const changes = db
    .prepare<{ id: string }, [number, number]>(
      `SELECT c.id FROM changes c WHERE c.finished_at < ? AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.change_id = c.id)
       ORDER BY c.finished_at LIMIT ?`,
    )
    .all(until, BATCH);
  for (const { id } of changes) {
    db.prepare<unknown, [string, number]>("DELETE FROM events WHERE change_id = ? AND at < ?").run(id, until);
    db.prepare<unknown, [string]>("DELETE FROM changes WHERE id = ?").run(id);
  }
  forgetOtherEvents(store, until);
  return streams;
}

function forgetJob(store: Store, id: string, until: number): string[] {
  const { db } = store;
  const streams = db.prepare<{ id: string }, [string]>("SELECT id FROM log_streams WHERE job_id = ?").all(id);
  db.prepare<unknown, [string, number]>("DELETE FROM events WHERE job_id = ? AND at < ?").run(id, until);
  for (const table of [
    "plans",
    "documents",
    "document_ids",
    "executions",
    "log_streams",
    "drift_checks",
    "runner_spans",
  ] as const)
    db.prepare<unknown, [string]>(`DELETE FROM ${table} WHERE job_id = ?`).run(id);
  db.prepare<unknown, [string]>("DELETE FROM jobs WHERE id = ?").run(id);
  return streams.map((stream) => stream.id);
}

/** Events of runners, workspaces, and of jobs that are gone; those of a job that is kept go with it. */
function forgetOtherEvents({ db }: Store, until: number): void {
  const key = "pruned:events";
  const from = Number(
    db.prepare<{ value: string }, [string]>("SELECT value FROM settings WHERE key = ?").get(key)?.value ?? 0,
  );
  const rows = db
    .prepare<{ seq: number; at: number; job_id: string | null; change_id: string | null }, [number, number]>(
      "SELECT seq, at, job_id, change_id FROM events WHERE seq > ? ORDER BY seq LIMIT ?",
    )
    .all(from, BATCH * 10);
  const recent = rows.findIndex((row) => row.at >= until);
  const old = recent < 0 ? rows : rows.slice(0, recent);
  const remove = db.prepare<unknown, [number]>("DELETE FROM events WHERE seq = ?");
  const lives = db.prepare<{ n: number }, [string, string]>(
    "SELECT EXISTS (SELECT 1 FROM jobs WHERE id = ?) + EXISTS (SELECT 1 FROM changes WHERE id = ?) AS n",
  );
  for (const { seq, job_id, change_id } of old) {
    if ((lives.get(job_id ?? "", change_id ?? "")?.n ?? 0) === 0) remove.run(seq);
  }
  const last = old.at(-1);
  if (last)
    db.prepare<unknown, [string, string]>("INSERT OR REPLACE INTO settings (key, value) VALUES (?, ?)").run(
      key,
      String(last.seq),
    );
}
