import type { JobGroup, RunnerMode } from "../../../protocol/enums.ts";
import { newId } from "../../../protocol/ids.ts";
import type { Slots } from "../../../protocol/native.ts";
import type { SessionRow } from "../runner-registry.ts";
import type { Store } from "../store.ts";
import { loseLease } from "./lease.ts";
import { reconsider } from "./offer.ts";
import { saveSession } from "./session.ts";

/** A Go runner has one instance as far as we can tell. */
export const NUON_INSTANCE = "nuon";
/** Tolerance between a process's own age and our clock. */
const RESTART_SLACK_MS = 10_000;

const PROCESS_MODE: Readonly<Record<string, RunnerMode>> = { install: "install", build: "org", org: "org", mng: "mng" };

/** What one request of a Go runner tells about it. */
export interface NuonSign {
  readonly group?: JobGroup;
  readonly process?: string;
  readonly version?: string;
}

/**
 * A Go runner announces nothing: its polls and heart beats make and keep its session. false: an instance of ours holds
 * this runner, so this process gets no work.
 */
export function nuonSign(store: Store, runnerId: string, sign: NuonSign): boolean {
  const runner = store.runners.get(runnerId);
  if (!runner) return false;
  const session = runner.session;
  const taken = session !== null && session.row.dialect === "native";
  if (taken && store.runners.contact(runner) !== "offline") return false;
  const known = session !== null && !taken ? session : null;
  const slots: Slots = { ...known?.slots, ...(sign.group ? { [sign.group]: 1 } : {}) };
  const mode = sign.process === undefined ? (known?.row.mode ?? "all") : (PROCESS_MODE[sign.process] ?? "all");
  const version = sign.version ?? known?.row.version ?? "";
  const wasOnline = known !== null && store.runners.contact(runner) === "online";
  store.runners.touch(runnerId);
  const unchanged =
    wasOnline &&
    mode === known.row.mode &&
    version === known.row.version &&
    (sign.group === undefined || known.slots[sign.group] === 1);
  if (unchanged) return true;
  const now = store.clock.now();
  const row: SessionRow = {
    runner_id: runnerId,
    id: known?.row.id ?? newId("session"),
    instance_id: NUON_INSTANCE,
    dialect: "nuon",
    mode,
    version,
    inventory: null,
    slots: JSON.stringify(slots),
    job_types: "[]",
    started_at: known?.row.started_at ?? now,
    last_contact_at: now,
  };
  store.db.transaction(() => {
    saveSession(store, row);
    reconsider(store);
  });
  return true;
}

/**
 * A heart beat: proves that what this runner runs is alive, and shows a restart. A Go runner forgets its jobs when it
 * starts anew, so an execution older than its process is lost.
 */
export function nuonBeat(
  store: Store,
  runnerId: string,
  beat: { readonly process: string; readonly aliveMs: number },
): void {
  const now = store.clock.now();
  const startedAt = now - beat.aliveMs;
  store.db.transaction(() => {
    for (const execution of store.sql.openOfRunner.all(runnerId)) {
      if (execution.dialect !== "nuon" || execution.lost_at !== null) continue;
      const management = store.sql.job.get(execution.job_id)?.job_group === "management";
      if (management !== (beat.process === "mng")) continue;
      if (beat.aliveMs > 0 && execution.created_at + RESTART_SLACK_MS < startedAt) {
        loseLease(store, execution, "the runner was started anew");
        continue;
      }
      store.db
        .prepare<unknown, [number, string]>("UPDATE executions SET lease_expires_at = ? WHERE id = ?")
        .run(now + store.times.offline_ms, execution.id);
    }
  });
}
