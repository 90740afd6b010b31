import type { Clock } from "../../kit/base/clock.ts";
import type { Db } from "./db.ts";
import type { RunnerTokensTable } from "./schema.ts";

const DAY = 86_400_000;

/** Times of tokens that were got by an identity, in milliseconds; docs/cloud-identity.md names them. */
export const TOKEN = {
  /** One that nobody uses for this long ends. */
  idle: 30 * DAY,
  /** One that nobody used at all. */
  unused: DAY,
  /** The one before goes on for this long after the next was first used: time for a runner to drain and start anew. */
  grace: 30 * 60_000,
  /** That nobody used yet, of one identity. A count. */
  waiting: 3,
  /** Rows of ended ones: who holds the lock of a state may still save it. */
  kept: 30 * DAY,
  /** Of one runner at most: all rows are read again and again. A count. */
  former: 100,
  /** Rows of those that were never used: their proof must not count again while it is valid. */
  spent: 3_600_000,
  /** Uses are written down this often. */
  noted: 60_000,
} as const;

/** Tokens of `runner_tokens` that open something now. */
export interface ExchangedTokens {
  /** Read anew; answers hash → id of the runner. */
  load(): ReadonlyMap<string, string>;
  /** A token was used; false: it has ended since. */
  use(hash: string): boolean;
  /** Writes down what was used. The first use of one is the end, after a while, of those before it. */
  settle(): void;
}

export function createExchangedTokens(db: Db, clock: Clock): ExchangedTokens {
  const rows = db.prepare<RunnerTokensTable, [number]>(
    "SELECT * FROM runner_tokens WHERE ends_at IS NULL OR ends_at > ?",
  );
  const note = db.prepare<unknown, [number, string]>("UPDATE runner_tokens SET used_at = ? WHERE token_hash = ?");
  const follow = db.prepare<unknown, [number, string, string, number, number]>(
    `UPDATE runner_tokens SET ends_at = ?1 WHERE identity_id = ?2 AND token_hash != ?3 AND issued_at <= ?4
     AND (ends_at IS NULL OR ends_at > ?5)`,
  );
  let known = new Map<string, RunnerTokensTable>();
  const used = new Set<string>();

  return {
    load: () => {
      const now = clock.now();
      known = new Map(rows.all(now).flatMap((row) => (endOf(row) > now ? [[row.token_hash, row]] : [])));
      return new Map([...known].map(([hash, row]) => [hash, row.runner_id]));
    },
    use: (hash) => {
      const row = known.get(hash);
      if (!row || endOf(row) <= clock.now()) return false;
      used.add(hash);
      return true;
    },
    settle: () => {
      const now = clock.now();
      const due = [...used]
        .map((hash) => known.get(hash))
        .filter((row) => row !== undefined)
        .filter(({ used_at }) => used_at === null || now - used_at >= TOKEN.noted);
      used.clear();
      if (due.length === 0) return;
      db.transaction(() => {
        for (const row of due) {
          note.run(now, row.token_hash);
          const grace = now + TOKEN.grace;
          if (row.used_at === null) follow.run(grace, row.identity_id, row.token_hash, row.issued_at, grace);
        }
      });
    },
  };
}

/** When it ends if nobody uses it again; ms since the epoch. */
export function endOf({ issued_at: issued, used_at: used, ends_at: ends }: RunnerTokensTable): number {
  const unused = used === null ? issued + TOKEN.unused : used + TOKEN.idle;
  return Math.min(unused, ends ?? Number.POSITIVE_INFINITY);
}
