import { hashToken } from "../../store/credentials.ts";
import type { Store } from "../../store/store.ts";

/** How long a repeated submission answers the first one's id, in milliseconds. */
const REMEMBERED_MS = 24 * 3_600_000;

/**
 * Runs `submit` once per key: a client whose answer was lost sends the same again. The key is kept in the transaction
 * of the submission itself. Without a key every call submits.
 */
export function submitOnce(store: Store, key: string | undefined, submit: () => string): string {
  if (key === undefined || key === "") return submit();
  const name = `submitted:${hashToken(key)}`;
  return store.db.transaction(() => {
    const now = store.clock.now();
    const known = store.db.prepare<{ value: string }, [string]>("SELECT value FROM settings WHERE key = ?").get(name);
    const [id, until] = known?.value.split(" ") ?? [];
    if (id !== undefined && Number(until) > now) return id;
    const fresh = submit();
    forgetOld(store, now);
    store.db
      .prepare<unknown, [string, string]>("INSERT OR REPLACE INTO settings (key, value) VALUES (?, ?)")
      .run(name, `${fresh} ${now + REMEMBERED_MS}`);
    return fresh;
  }, "full");
}

function forgetOld(store: Store, now: number): void {
  store.db
    .prepare<unknown, [number]>(
      "DELETE FROM settings WHERE key LIKE 'submitted:%' AND CAST(substr(value, instr(value, ' ') + 1) AS INTEGER) < ?",
    )
    .run(now);
}
