import { ok, type Result } from "../../../protocol/errors.ts";
import { hashToken } from "../../store/credentials.ts";
import type { Store } from "../../store/store.ts";
import type { Refusal } from "../../store/types.ts";

/** How long a repeated submission answers the first one's id, in milliseconds. */
const REMEMBERED_MS = 24 * 3_600_000;

/**
 * Runs `submit` once per key: a client whose answer was lost sends the same again. The key is kept in the transaction
 * of the submission itself. Without a key every call submits.
 */
export function submitOnce(store: Store, key: string | undefined, submit: () => string): string {
  if (key === undefined || key === "") return submit();
  return store.db.transaction(() => {
    const known = recall(store, key);
    if (known !== null) return known;
    const fresh = submit();
    remember(store, key, fresh);
    return fresh;
  }, "full");
}

/**
 * Decides once per key: whoever sends a decision again because its answer was lost hears that it was taken, not that
 * somebody was first. A refusal is not remembered, and what it changed stays.
 */
export function decideOnce(
  store: Store,
  key: string | undefined,
  decide: () => Result<void, Refusal>,
): Result<void, Refusal> {
  if (key === undefined || key === "") return decide();
  return store.db.transaction(() => {
    if (recall(store, key) !== null) return ok(undefined);
    const decided = decide();
    if (decided.ok) remember(store, key, "decided");
    return decided;
  }, "full");
}

const nameOf = (key: string) => `submitted:${hashToken(key)}`;

function recall(store: Store, key: string): string | null {
  const select = store.db.prepare<{ value: string }, [string]>("SELECT value FROM settings WHERE key = ?");
  const [value, until] = select.get(nameOf(key))?.value.split(" ") ?? [];
  return value !== undefined && Number(until) > store.clock.now() ? value : null;
}

function remember(store: Store, key: string, value: string): void {
  const now = store.clock.now();
  forgetOld(store, now);
  store.db
    .prepare<unknown, [string, string]>("INSERT OR REPLACE INTO settings (key, value) VALUES (?, ?)")
    .run(nameOf(key), `${value} ${now + REMEMBERED_MS}`);
}

function forgetOld(store: Store, now: number): void {
  store.db
    .prepare<unknown, [number]>(
      "DELETE FROM settings WHERE key LIKE 'submitted:%' AND CAST(substr(value, instr(value, ' ') + 1) AS INTEGER) < ?",
    )
    .run(now);
}
