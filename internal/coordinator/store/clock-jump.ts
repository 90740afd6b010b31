import type { Clock } from "../../kit/base/clock.ts";
import type { Store } from "./store.ts";

/** Less is an ordinary correction, and a busy machine. Milliseconds. */
const LEAST_JUMP_MS = 5_000;

export interface ClockJump {
  /** The wall clock was set by this much, negative when set back. */
  readonly ms: number;
  /** It happened within so much time: what was written since then may be right already. */
  readonly withinMs: number;
}

/** Asked once a second; answers null while the wall clock goes as the steady one does. */
export function createJumpWatch(clock: Clock): () => ClockJump | null {
  let last = { wall: clock.now(), steady: clock.monotonic() };
  return () => {
    const seen = { wall: clock.now(), steady: clock.monotonic() };
    const withinMs = seen.steady - last.steady;
    const ms = Math.round(seen.wall - last.wall - withinMs);
    last = seen;
    return Math.abs(ms) < LEAST_JUMP_MS ? null : { ms, withinMs };
  };
}

/**
 * Moves every time that the clock still decides about, so that what had a minute left has a minute left: a clock set
 * forward would end every lease and every running job at once, one set back would keep the jobs of a dead runner.
 */
export function absorbJump(store: Store, { ms, withinMs }: ClockJump): void {
  const { db, times } = store;
  const now = store.clock.now();
  const right = { from: now - withinMs, to: now };
  db.transaction(() => {
    db.prepare<unknown, [number, number, number, number]>(
      `UPDATE executions SET deadline_at = deadline_at + ?, created_at = created_at + ?
       WHERE finished_at IS NULL AND created_at NOT BETWEEN ? AND ?`,
    ).run(ms, ms, right.from, right.to);
    db.prepare<unknown, [number]>("UPDATE executions SET lease_expires_at = ? WHERE finished_at IS NULL").run(
      now + Math.max(times.lease_ms, times.renew_ms * 3),
    );
    db.prepare<unknown, [number, number, number]>(
      `UPDATE jobs SET queued_at = queued_at + ?
       WHERE status IN ('queued', 'available') AND queued_at NOT BETWEEN ? AND ?`,
    ).run(ms, right.from, right.to);
    db.prepare<unknown, [number]>(
      "UPDATE changes SET expires_at = expires_at + ? WHERE status = 'approval-awaiting' AND expires_at IS NOT NULL",
    ).run(ms);
    db.prepare<unknown, [number, number, number]>(
      "UPDATE sessions SET last_contact_at = last_contact_at + ? WHERE last_contact_at NOT BETWEEN ? AND ?",
    ).run(ms, right.from, right.to);
    db.prepare<unknown, [number, number, number]>(
      `UPDATE runner_tokens SET issued_at = issued_at + ?1, used_at = used_at + ?1, ends_at = ends_at + ?1
       WHERE issued_at NOT BETWEEN ?2 AND ?3`,
    ).run(ms, right.from, right.to);
  });
  store.runners.shift(ms, right);
}
