import type { Database } from "bun:sqlite";
import type { Durability } from "./db.ts";

interface Waiting {
  /** Runs the body inside the open transaction; returns what settles its promise after the commit. */
  readonly run: () => () => void;
  readonly reject: (error: unknown) => void;
  readonly durability: Durability;
}

/**
 * Transactions and group commit over one connection. Bodies queued in one event-loop turn share one transaction and
 * one fsync; each runs in its own savepoint, so one that throws takes only its own writes with it.
 *
 * The connection runs with synchronous = NORMAL; `syncWal` after the commit is what FULL would add. This way a nested
 * body can ask for it too, which a PRAGMA inside a transaction cannot.
 */
export function createGroupCommit(raw: Database, syncWal: () => void) {
  let open = false;
  let wanted: Durability = "normal";
  let effects: (() => void)[] = [];
  let waiting: Waiting[] = [];
  let scheduled = false;
  const totalChanges = raw.prepare<{ n: number }, []>("SELECT total_changes() AS n");
  /** Rows changed by this connection when the disk last had all of them. */
  let synced = -1;

  const commit = () => {
    const full = wanted === "full";
    raw.exec("COMMIT");
    open = false;
    wanted = "normal";
    if (full) syncWhatIsNew();
  };

  /** Most looks for work find none: they write nothing, so there is nothing to wait for. */
  const syncWhatIsNew = () => {
    const changes = totalChanges.get()?.n ?? Number.NaN;
    if (changes === synced) return;
    syncWal();
    synced = changes;
  };

  const rollback = () => {
    // SQLite has rolled back by itself after some errors (a full disk); a failed COMMIT leaves the transaction open.
    if (raw.inTransaction) raw.exec("ROLLBACK");
    open = false;
    wanted = "normal";
    effects = [];
  };

  const runEffects = () => {
    const due = effects;
    effects = [];
    for (const effect of due) effect();
  };

  const transaction = <T>(body: () => T, durability: Durability = "normal"): T => {
    if (durability === "full") wanted = "full";
    if (open) return body();
    raw.exec("BEGIN IMMEDIATE");
    open = true;
    let value: T;
    try {
      value = body();
      commit();
    } catch (error) {
      rollback();
      throw error;
    }
    runEffects();
    return value;
  };

  const savepoint = (item: Waiting): (() => void) => {
    const mark = effects.length;
    raw.exec("SAVEPOINT one");
    try {
      const settle = item.run();
      raw.exec("RELEASE one");
      return settle;
    } catch (error) {
      // Nothing is left of the transaction, so nobody's writes are.
      if (!raw.inTransaction) throw error;
      effects.length = mark;
      raw.exec("ROLLBACK TO one; RELEASE one");
      return () => item.reject(error);
    }
  };

  const flush = () => {
    scheduled = false;
    const batch = waiting;
    waiting = [];
    if (batch.length === 0) return;
    let settles: (() => void)[] = [];
    try {
      settles = transaction(
        () => batch.map(savepoint),
        batch.some((item) => item.durability === "full") ? "full" : "normal",
      );
    } catch (error) {
      for (const item of batch) item.reject(error);
      return;
    }
    for (const settle of settles) settle();
  };

  const group = <T>(body: () => T, durability: Durability = "normal"): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      const run = () => {
        const value = body();
        return () => resolve(value);
      };
      waiting.push({ run, reject, durability });
      if (scheduled) return;
      scheduled = true;
      setImmediate(flush);
    });

  const afterCommit = (effect: () => void) => {
    if (open) effects.push(effect);
    else effect();
  };

  return { transaction, group, afterCommit, flush };
}
