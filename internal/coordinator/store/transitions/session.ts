import { fail, ok, type Result } from "../../../protocol/errors.ts";
import { newId } from "../../../protocol/ids.ts";
import type { SessionRequest, SessionResponse } from "../../../protocol/native.ts";
import type { KnownRunner, SessionRow } from "../runner-registry.ts";
import type { Store } from "../store.ts";
import { judgeHeld, loseLease } from "./lease.ts";
import { reconsider } from "./offer.ts";

/** Another instance holds the runner. */
export interface Holder {
  readonly instanceId: string;
  readonly hostname: string;
  readonly lastContactAt: number;
  readonly retryAfterMs: number;
}

export interface OpenedSession {
  readonly sessionId: string;
  readonly held: SessionResponse["held"];
}

/**
 * An instance announces itself. The same instance goes on at once; another one waits until the holder is past the
 * offline time and then takes the session over, with which the holder's leases are lost.
 */
export function openSession(store: Store, runnerId: string, request: SessionRequest): Result<OpenedSession, Holder> {
  return store.db.transaction(() => {
    const before = store.runners.get(runnerId);
    const holder = before ? holderAgainst(store, before, request.instance_id) : null;
    if (holder) return fail(holder);
    const sessionId = newId("session");
    const now = store.clock.now();
    saveSession(store, {
      runner_id: runnerId,
      id: sessionId,
      instance_id: request.instance_id,
      dialect: "native",
      mode: request.mode,
      version: request.version,
      inventory: JSON.stringify(request.inventory),
      slots: JSON.stringify(request.slots),
      job_types: JSON.stringify(request.job_types),
      started_at: now,
      last_contact_at: now,
    });
    endDrain(store, runnerId);
    const other = before?.session?.row.instance_id !== request.instance_id;
    if (other) loseAllOf(store, runnerId, request.instance_id);
    const held = judgeHeld(store, runnerId, request.instance_id, request.held);
    store.events.append({
      what: "session",
      by: `runner:${runnerId}`,
      why: `${request.version} on ${request.inventory.hostname}${other && before?.session ? ", took over" : ""}`,
      runnerId,
    });
    store.runners.touch(runnerId);
    reconsider(store);
    store.wake.jobs();
    return ok({ sessionId, held });
  }, "full");
}

/** The other instance that holds this runner now, null when there is none. */
export function holderAgainst(store: Store, runner: KnownRunner, instanceId: string): Holder | null {
  const session = runner.session;
  if (!session || session.row.instance_id === instanceId) return null;
  const at = store.runners.lastContact(runner) ?? 0;
  const left = at + store.times.offline_ms - store.clock.now();
  if (left < 0) return null;
  return {
    instanceId: session.row.instance_id,
    hostname: session.inventory?.hostname ?? "",
    lastContactAt: at,
    retryAfterMs: Math.max(1_000, Math.min(left, store.times.renew_ms)),
  };
}

/** Whether this instance holds the session of its runner. */
export function holdsSession(runner: KnownRunner, instanceId: string): boolean {
  return runner.session?.row.instance_id === instanceId;
}

export function saveSession(store: Store, row: SessionRow): void {
  const { db } = store;
  db.run(
    db.kysely
      .insertInto("sessions")
      .values(row)
      .onConflict((conflict) => conflict.column("runner_id").doUpdateSet({ ...row })),
  );
  store.runners.changed();
}

/** A runner that starts again after a drain is meant to work. */
function endDrain(store: Store, runnerId: string): void {
  store.db.prepare<unknown, [string]>("UPDATE runners SET draining = 0 WHERE id = ? AND draining = 1").run(runnerId);
  store.runners.changed();
}

/** Executions of other instances of this runner. */
function loseAllOf(store: Store, runnerId: string, instanceId: string): void {
  for (const execution of store.sql.openOfRunner.all(runnerId)) {
    if (execution.instance_id === instanceId || execution.lost_at !== null) continue;
    loseLease(store, execution, "another instance took the runner over");
  }
}
