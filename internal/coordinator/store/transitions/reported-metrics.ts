import type { MetricPoint } from "../../../protocol/otlp-json.ts";
import type { Store } from "../store.ts";

/** The last value of one series that a runner reported. */
export interface ReportedMetric {
  readonly runner_id: string;
  readonly name: string;
  /** `key=value` pairs in order of the keys, joined by commas; empty without any. */
  readonly labels: string;
  readonly kind: string;
  readonly value: number;
  readonly updated_at: number;
}

/** Series kept per runner; further names are dropped until old ones have been silent for a day. */
export const SERIES_LIMIT = 500;
const SILENT_MS = 86_400_000;

/** Keeps the last value of each series, or adds a change to it. The number of points for which there was no room. */
export function saveMetrics(store: Store, runnerId: string, points: readonly MetricPoint[]): number {
  if (points.length === 0) return 0;
  return store.db.transaction(() => {
    const now = store.clock.now();
    store.db
      .prepare<unknown, [string, number]>("DELETE FROM runner_metrics WHERE runner_id = ? AND updated_at < ?")
      .run(runnerId, now - SILENT_MS);
    const known = new Set(reportedMetrics(store, runnerId).map(keyOf));
    const put = store.db.prepare<unknown, [string, string, string, string, number, number, number]>(
      `INSERT INTO runner_metrics (runner_id, name, labels, kind, value, updated_at) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (runner_id, name, labels) DO UPDATE SET kind = excluded.kind, updated_at = excluded.updated_at,
       value = excluded.value + CASE ? WHEN 1 THEN runner_metrics.value ELSE 0 END`,
    );
    let dropped = 0;
    for (const point of points) {
      const series = { name: point.name, labels: labelsOf(point.attributes) };
      if (!known.has(keyOf(series)) && known.size >= SERIES_LIMIT) {
        dropped += 1;
        continue;
      }
      known.add(keyOf(series));
      put.run(runnerId, series.name, series.labels, point.kind, point.value, now, point.change ? 1 : 0);
    }
    return dropped;
  });
}

/** All series of a runner. */
export function reportedMetrics(store: Store, runnerId: string): ReportedMetric[] {
  return store.db.prepare<ReportedMetric, [string]>("SELECT * FROM runner_metrics WHERE runner_id = ?").all(runnerId);
}

const keyOf = (series: { readonly name: string; readonly labels: string }) => `${series.name}\0${series.labels}`;

function labelsOf(attributes: MetricPoint["attributes"]): string {
  return Object.entries(attributes)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${String(value)}`)
    .join(",")
    .slice(0, 1_000);
}
