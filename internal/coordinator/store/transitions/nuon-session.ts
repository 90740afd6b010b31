import { type JobGroup, MODE_GROUPS, type RunnerMode } from "../../../protocol/enums.ts";
import { newId } from "../../../protocol/ids.ts";
import type { Slots } from "../../../protocol/native.ts";
import { NUON_LOST_MS } from "../../../protocol/times.ts";
import type { KnownRunner, SessionRow } from "../runner-registry.ts";
import type { ExecutionRow } from "../statements.ts";
import type { Store } from "../store.ts";
import { reconsider } from "./offer.ts";
import { saveSession } from "./session.ts";

/** A Go runner has one instance as far as we can tell. */
export const NUON_INSTANCE = "nuon";
/** A process's start as we reckon it is late by the way of its heart beat; before it took a job it had two answers. */
const START_SLACK_MS = 500;

/** A map, not an object: the word comes from outside, and an object knows `constructor` too. */
const PROCESS_MODE: ReadonlyMap<string, RunnerMode> = new Map([
  ["install", "install"],
  ["build", "org"],
  ["org", "org"],
  ["mng", "mng"],
]);

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
  if (sign.group) store.nuonPolls.polled(runnerId, sign.group);
  const slots = slotsNow(store, runnerId, known?.slots ?? {}, sign);
  const mode = modeNow(known, sign);
  const version = sign.version ?? known?.row.version ?? "";
  const wasOnline = known !== null && store.runners.contact(runner) === "online";
  store.runners.touch(runnerId);
  const unchanged =
    wasOnline &&
    mode === known.row.mode &&
    version === known.row.version &&
    Object.keys(slots).length === Object.keys(known.slots).length &&
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

/** The groups that are polled: a loop that works on a job asks for nothing, every other one each few seconds. */
function slotsNow(store: Store, runnerId: string, known: Slots, sign: NuonSign): Slots {
  if (!sign.group) return known;
  const polled = store.nuonPolls.polledWithin(runnerId, known, store.times.suspect_ms);
  const busy = [...store.nuonPolls.stoppingGroups(runnerId), ...groupsAtWork(store, runnerId)];
  return Object.fromEntries([...polled, ...busy, sign.group].map((group) => [group, 1]));
}

function groupsAtWork(store: Store, runnerId: string): JobGroup[] {
  const jobs = store.sql.openOfRunner.all(runnerId).map((execution) => store.sql.job.get(execution.job_id));
  return jobs.flatMap((job) => (job ? [job.job_group] : []));
}

/** A management process runs beside the one that works, under the same id. */
function modeNow(known: KnownRunner["session"], sign: NuonSign): string {
  if (sign.process === undefined) return known?.row.mode ?? "all";
  const besides = sign.process === "mng" && Object.keys(known?.slots ?? {}).some((group) => group !== "management");
  return besides ? (known?.row.mode ?? "all") : (PROCESS_MODE.get(sign.process) ?? "all");
}

/**
 * A heart beat proves that what its process runs is alive. A process that was started after a job was taken cannot be
 * the one that works on it: a Go runner forgets its jobs when it starts anew, so such a beat keeps nothing.
 */
export function nuonBeat(
  store: Store,
  runnerId: string,
  beat: { readonly process: string; readonly aliveMs: number },
): void {
  const now = store.clock.now();
  const startedAt = now - beat.aliveMs;
  if (beat.aliveMs > 0) store.nuonPolls.aged(runnerId, beat.aliveMs + START_SLACK_MS, beat.process === "mng");
  store.db.transaction(() => {
    for (const execution of store.sql.openOfRunner.all(runnerId)) {
      if (execution.dialect !== "nuon" || execution.lost_at !== null) continue;
      const group = store.sql.job.get(execution.job_id)?.job_group;
      if (!group || !worksOn(beat.process, group)) continue;
      const later = beat.aliveMs > 0 && startedAt > execution.created_at + START_SLACK_MS;
      if (later && !takesUpAgain(execution)) continue;
      extendNuonLease(store, execution.id);
    }
  });
}

export function extendNuonLease(store: Store, executionId: string): void {
  store.db
    .prepare<unknown, [number, string]>("UPDATE executions SET lease_expires_at = ? WHERE id = ?")
    .run(store.clock.now() + NUON_LOST_MS, executionId);
}

/** Our own runner on this dialect takes up again what ran before its restart; it is known by its nonce. */
const takesUpAgain = (execution: ExecutionRow) => execution.client_version.includes("/");

const worksOn = (process: string, group: JobGroup) => MODE_GROUPS[PROCESS_MODE.get(process) ?? "all"].includes(group);
