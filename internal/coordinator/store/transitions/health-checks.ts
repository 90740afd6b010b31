import type { Store } from "../store.ts";

/** One check a runner reported of itself. */
export interface HealthCheckRow {
  readonly id: string;
  readonly runner_id: string;
  /** `install`, `build`, `mng`, or empty: one process that does all. */
  readonly process: string;
  readonly status: string;
  readonly created_at: number;
}

/** Rows kept per runner: a day of one a minute. */
const KEPT = 1_440;

/** A runner said that one of its processes is well. Old checks go. */
export function addHealthCheck(store: Store, id: string, runnerId: string, process: string): HealthCheckRow {
  const row = { id, runner_id: runnerId, process, status: "active", created_at: store.clock.now() };
  store.db.transaction(() => {
    store.db
      .prepare<unknown, [string, string, string, string, number]>(
        "INSERT INTO runner_health_checks (id, runner_id, process, status, created_at) VALUES (?, ?, ?, ?, ?)",
      )
      .run(row.id, row.runner_id, row.process, row.status, row.created_at);
    store.db
      .prepare<unknown, [string, string, number]>(
        `DELETE FROM runner_health_checks WHERE runner_id = ? AND created_at < (
           SELECT created_at FROM runner_health_checks WHERE runner_id = ? ORDER BY created_at DESC LIMIT 1 OFFSET ?)`,
      )
      .run(runnerId, runnerId, KEPT - 1);
  });
  return row;
}

/** The last check of each process of a runner. */
export function lastHealthChecks(store: Store, runnerId: string): HealthCheckRow[] {
  return store.db
    .prepare<HealthCheckRow, [string]>(
      `SELECT id, runner_id, process, status, max(created_at) AS created_at FROM runner_health_checks
       WHERE runner_id = ? GROUP BY process ORDER BY process`,
    )
    .all(runnerId);
}
