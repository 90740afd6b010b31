import type { WaitReason } from "../../../protocol/enums.ts";
import { evaluate, type RunnerView, type Running } from "../../queue/evaluate.ts";
import type { JobRow } from "../statements.ts";
import type { Store } from "../store.ts";
import { jobView, runnerViews, runningNow } from "../views.ts";
import { record } from "./shared.ts";

/** How many waiting jobs one pass looks at; the rest keep their last reason until the ones before them move. */
const PASS_LIMIT = 2_000;

/** queued → available when a runner has room for it; otherwise the job gets its reason for waiting. */
export function offer(store: Store, jobId: string): void {
  store.db.transaction(() => {
    const row = store.sql.job.get(jobId);
    if (row) reconsiderOne(store, row, runnerViews(store), runningNow(store));
  });
}

/** Looks at every waiting job again: offers those that can go, withdraws those that no runner has room for. */
export function reconsider(store: Store): void {
  store.db.transaction(() => {
    const rows = store.sql.waiting.all(PASS_LIMIT);
    if (rows.length === 0) return;
    const views = runnerViews(store);
    const running = runningNow(store);
    for (const row of rows) reconsiderOne(store, row, views, running);
  });
}

function reconsiderOne(store: Store, row: JobRow, views: readonly RunnerView[], running: Running): void {
  const verdict = evaluate(jobView(row), views, running);
  if (verdict.offer) {
    if (row.status === "queued") setAvailable(store, row);
  } else if (row.status === "available") {
    withdraw(store, row, verdict.reason);
  } else if (row.reason !== verdict.reason) {
    store.db.prepare<unknown, [string, string]>("UPDATE jobs SET reason = ? WHERE id = ?").run(verdict.reason, row.id);
  }
}

/** queued → available. */
export function setAvailable(store: Store, row: JobRow): void {
  store.db
    .prepare<unknown, [number, string]>(
      "UPDATE jobs SET status = 'available', reason = '', updated_at = ? WHERE id = ? AND status = 'queued'",
    )
    .run(store.clock.now(), row.id);
  record(store, row, { what: "available", by: "system" });
}

/** available → queued: nobody can take it any more. */
function withdraw(store: Store, row: JobRow, reason: WaitReason): void {
  store.db
    .prepare<unknown, [string, number, string]>(
      "UPDATE jobs SET status = 'queued', reason = ?, updated_at = ? WHERE id = ? AND status = 'available'",
    )
    .run(reason, store.clock.now(), row.id);
  record(store, row, { what: "queued", by: "system", why: reason });
}
