import { fail, ok, type Result } from "../../../protocol/errors.ts";
import type { HelmRelease } from "../../../protocol/nuon/helm.ts";
import type { Store } from "../store.ts";

/** Where a release lies: Helm's key is `sh.helm.release.v1.<name>.v<revision>`. */
export interface ReleaseKey {
  readonly chartId: string;
  readonly namespace: string;
  readonly key: string;
}

/** A stored release; `body` is gzip of its JSON as it came, `labels` JSON of a string map. */
export interface ReleaseRow {
  readonly chart_id: string;
  readonly namespace: string;
  readonly key: string;
  readonly name: string;
  readonly version: number;
  readonly status: string;
  readonly owner: string;
  readonly labels: string;
  readonly body: Uint8Array;
  readonly created_by: string;
  readonly created_at: number;
  readonly updated_at: number;
}

/** Values that a query compares with; absent ones are not compared. */
export type ReleaseFilter = Readonly<
  Partial<Record<"name" | "owner" | "status" | "version" | "createdAt" | "modifiedAt", string>>
>;

type Column = readonly [name: string, version: number, status: string, owner: string, labels: string, body: Uint8Array];

function columnsOf(release: HelmRelease, text: Uint8Array): Column {
  const labels = release.labels ?? {};
  return [
    release.name ?? "",
    release.version ?? 0,
    release.info?.status ?? labels.status ?? "",
    labels.owner ?? "helm",
    JSON.stringify(labels),
    Bun.gzipSync(new Uint8Array(text)),
  ];
}

/** A new release; `exists` when the key is taken. */
export function createRelease(
  store: Store,
  at: ReleaseKey,
  release: HelmRelease,
  text: Uint8Array,
  by: string,
): Result<ReleaseRow, "exists"> {
  return store.db.transaction(() => {
    if (readRelease(store, at)) return fail("exists");
    const now = store.clock.now();
    store.db
      .prepare<unknown, [string, string, string, ...Column, string, number, number]>(
        `INSERT INTO helm_releases (chart_id, namespace, key, name, version, status, owner, labels, body, created_by,
         created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(at.chartId, at.namespace, at.key, ...columnsOf(release, text), by, now, now);
    const row = readRelease(store, at);
    return row ? ok(row) : fail("exists");
  }, "full");
}

/** Takes the place of a release, labels too, so that a query by status finds what is true. false: no such release. */
export function updateRelease(store: Store, at: ReleaseKey, release: HelmRelease, text: Uint8Array): boolean {
  return store.db.transaction(
    () =>
      store.db
        .prepare<unknown, [...Column, number, string, string, string]>(
          `UPDATE helm_releases SET name = ?, version = ?, status = ?, owner = ?, labels = ?, body = ?, updated_at = ?
           WHERE chart_id = ? AND namespace = ? AND key = ?`,
        )
        .run(...columnsOf(release, text), store.clock.now(), at.chartId, at.namespace, at.key).changes > 0,
    "full",
  );
}

/** false: no such release. */
export function deleteRelease(store: Store, at: ReleaseKey): boolean {
  return store.db.transaction(
    () =>
      store.db
        .prepare<unknown, [string, string, string]>(
          "DELETE FROM helm_releases WHERE chart_id = ? AND namespace = ? AND key = ?",
        )
        .run(at.chartId, at.namespace, at.key).changes > 0,
    "full",
  );
}

export function readRelease(store: Store, at: ReleaseKey): ReleaseRow | null {
  return store.db
    .prepare<ReleaseRow, [string, string, string]>(
      "SELECT * FROM helm_releases WHERE chart_id = ? AND namespace = ? AND key = ?",
    )
    .get(at.chartId, at.namespace, at.key);
}

/** Releases of one chart in one namespace that fit, oldest first. */
export function findReleases(store: Store, chartId: string, namespace: string, filter: ReleaseFilter): ReleaseRow[] {
  const rows = store.db
    .prepare<ReleaseRow, [string, string]>(
      "SELECT * FROM helm_releases WHERE chart_id = ? AND namespace = ? ORDER BY created_at, version",
    )
    .all(chartId, namespace);
  return rows.filter((row) => {
    const labels = JSON.parse(row.labels) as Record<string, string | null>;
    const has: Readonly<Record<string, string | null>> = {
      ...labels,
      name: row.name,
      owner: row.owner,
      status: row.status,
      version: String(row.version),
    };
    return Object.entries(filter).every(([key, wanted]) => has[key] === wanted);
  });
}

/** The JSON text of a release, byte for byte as it came. */
export function releaseText(row: ReleaseRow): string {
  return new TextDecoder().decode(Bun.gunzipSync(new Uint8Array(row.body)));
}

/** Remembers whose releases a job may touch. Nothing for a plan without a chart. */
export function noteHelmChart(store: Store, jobId: string, plan: string): void {
  if (!plan.includes('"helm_chart_id"')) return;
  const chartId = chartIdOf(plan);
  if (chartId === null) return;
  store.db
    .prepare<unknown, [string, string]>("INSERT OR IGNORE INTO helm_charts (chart_id, job_id) VALUES (?, ?)")
    .run(chartId, jobId);
}

function chartIdOf(plan: string): string | null {
  try {
    const parsed = JSON.parse(plan) as { helm?: { helm_chart_id?: unknown } | null } | null;
    const id = parsed?.helm?.helm_chart_id;
    return typeof id === "string" && id !== "" ? id : null;
  } catch {
    return null;
  }
}

/** Whether this runner runs or ran a job with this chart; with `jobId`, whether that job is one. */
export function runnerKnowsChart(store: Store, chartId: string, runnerId: string, jobId?: string): boolean {
  const found = store.db
    .prepare<{ one: number }, [string, string, string | null]>(
      `SELECT 1 AS one FROM helm_charts h JOIN executions e ON e.job_id = h.job_id
       WHERE h.chart_id = ? AND e.runner_id = ? AND h.job_id = coalesce(?, h.job_id) LIMIT 1`,
    )
    .get(chartId, runnerId, jobId ?? null);
  return found !== null;
}

/** Whether another runner works on this chart now: what a lost execution still has to say must not overwrite it. */
export function chartIsTaken(store: Store, chartId: string, runnerId: string): boolean {
  return (
    store.db
      .prepare<{ one: number }, [string, string]>(
        `SELECT 1 AS one FROM helm_charts h JOIN executions e ON e.job_id = h.job_id
         WHERE h.chart_id = ? AND e.runner_id <> ? AND e.finished_at IS NULL AND e.lost_at IS NULL LIMIT 1`,
      )
      .get(chartId, runnerId) !== null
  );
}
