import { describe, expect, test } from "bun:test";
import type { Store } from "./store.ts";
import { submit, testStore } from "./test-store.ts";
import { endJob } from "./transitions/end.ts";
import { prune } from "./transitions/prune.ts";
import { retryJob } from "./transitions/retry.ts";

const DAY = 86_400_000;
const KEPT = { endedMs: 30 * DAY, plansMs: DAY };

function end(store: Store, id: string, status: "finished" | "failed"): void {
  const job = store.sql.job.get(id);
  if (job) store.db.transaction(() => endJob(store, job, { status, reason: "", by: "system" }));
}

const withSecret = (store: Store) =>
  submit(store, { plan: '{"password":"hunter2"}', extra: { submission: { password: "hunter2" }, sources: [] } });

const secretsIn = (store: Store): number =>
  store.db
    .prepare<{ n: number }, []>(
      `SELECT (SELECT count(*) FROM plans WHERE text LIKE '%hunter2%') +
       (SELECT count(*) FROM documents WHERE json LIKE '%hunter2%') AS n`,
    )
    .get()?.n ?? 0;

const count = (store: Store, table: string, id: string): number =>
  store.db.prepare<{ n: number }, [string]>(`SELECT count(*) AS n FROM ${table} WHERE job_id = ?`).get(id)?.n ?? 0;

describe("retention", () => {
  test("secrets of a job that finished go soon, those of a failed one when nobody retries it in time", () => {
    const { store, advance } = testStore();
    const good = withSecret(store);
    const bad = withSecret(store);
    end(store, good, "finished");
    end(store, bad, "failed");
    prune(store, KEPT);
    expect(secretsIn(store)).toBe(4);
    advance(11 * 60_000);
    prune(store, KEPT);
    expect(store.sql.plan.get(good)).toBeNull();
    expect(secretsIn(store)).toBe(2);
    expect(retryJob(store, { jobId: good, by: "admin" })).toMatchObject({
      ok: false,
      error: { message: expect.stringContaining("submit the job file again") },
    });
    expect(retryJob(store, { jobId: bad, by: "admin" }).ok).toBe(true);
    advance(DAY);
    prune(store, KEPT);
    // The retry waits in the queue with its own plan and submission.
    expect(secretsIn(store)).toBe(2);
  });

  test("a job that ended long ago goes with its log and its events; what waits or runs stays, however old", () => {
    const { store, advance } = testStore();
    const old = withSecret(store);
    end(store, old, "failed");
    const waiting = withSecret(store);
    const stream = store.sql.job.get(old)?.log_stream_id ?? "";
    advance(31 * DAY);
    const young = withSecret(store);
    end(store, young, "failed");
    expect(prune(store, KEPT)).toContain(stream);
    expect(store.sql.job.get(old)).toBeNull();
    for (const table of ["events", "log_streams", "documents", "plans"]) expect(count(store, table, old)).toBe(0);
    for (const id of [waiting, young]) {
      expect(store.sql.job.get(id)).not.toBeNull();
      expect(store.sql.plan.get(id)).not.toBeNull();
      expect(count(store, "events", id)).toBeGreaterThan(0);
    }
  });

  test("goes in rounds that are small, over as many as it takes", () => {
    const { store, advance } = testStore();
    const ids = Array.from({ length: 250 }, () => withSecret(store));
    for (const id of ids) end(store, id, "failed");
    advance(31 * DAY);
    const left = () => ids.filter((id) => store.sql.job.get(id) !== null).length;
    prune(store, KEPT);
    expect(left()).toBe(150);
    prune(store, KEPT);
    prune(store, KEPT);
    expect(left()).toBe(0);
    expect(secretsIn(store)).toBe(0);
  });

  test("events younger than what is kept cannot be deleted, by nobody", () => {
    const { store, advance } = testStore();
    submit(store);
    advance(DAY);
    prune(store, KEPT);
    const remove = () => store.db.prepare("DELETE FROM events").run();
    expect(remove).toThrow("append-only");
  });

  test("without a limit nothing goes but the secrets", () => {
    const { store, advance } = testStore();
    const id = withSecret(store);
    end(store, id, "failed");
    advance(3_000 * DAY);
    expect(prune(store, { endedMs: null, plansMs: DAY })).toEqual([]);
    expect(store.sql.job.get(id)).not.toBeNull();
    expect(secretsIn(store)).toBe(0);
  });
});
