import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../kit/base/clock.ts";
import type { SystemLog } from "../../kit/base/system-log.ts";
import { reasonOf } from "../../protocol/errors.ts";
import type { RunnerEvent } from "../../protocol/native.ts";
import type { LastUpdate, UpdateJournal } from "./update-journal.ts";

const LOOK_MS = 1_000;
/** Told later than this, it is said when it was: the control plane's clock tells when it heard of it. */
const LATE_MS = 60_000;

export interface ReportUpdatesDeps {
  readonly journal: Pick<UpdateJournal, "read">;
  /** Which one was told lies there, beside the journal: its own form is also read by older versions. */
  readonly stateDir: string;
  /** false: not taken, and this process ends. */
  readonly tell: (event: RunnerEvent) => Promise<boolean>;
  readonly clock: Clock;
  readonly log: SystemLog;
  readonly signal: AbortSignal;
}

/**
 * Tells how updates ended, whoever asked for them and in whichever process they did: what the journal has last is told
 * once, after a restart too. Until `signal`; never rejects.
 */
export async function reportUpdates({ journal, stateDir, tell, clock, log, signal }: ReportUpdatesDeps): Promise<void> {
  const file = join(stateDir, "update-told");
  let told = readText(file);
  for (; !signal.aborted; await clock.sleep(LOOK_MS, signal)) {
    const last = lastOf(journal);
    if (last === null || last.id === told) continue;
    const event = eventOf(last, clock.now());
    if (event !== null && !(await tell(event))) continue;
    told = last.id;
    try {
      writeFileSync(file, told, { mode: 0o600 });
    } catch (cause) {
      log.warn("it cannot be kept that an update was told", { reason: reasonOf(cause) });
    }
  }
}

function lastOf(journal: Pick<UpdateJournal, "read">): LastUpdate | null {
  try {
    return journal.read().last;
  } catch {
    return null; // the updater says so
  }
}

function readText(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null;
  }
}

const WHAT = { updated: "updated", "rolled-back": "update-rolled-back", failed: "update-failed" } as const;

/** null: nothing happened. */
function eventOf({ id, cause, version, from, outcome, reason, ended_ms }: LastUpdate, now: number): RunnerEvent | null {
  if (outcome === "current") return null;
  const late = now - ended_ms > LATE_MS ? `, at ${new Date(ended_ms).toISOString()}` : "";
  const why = [`${from ?? "nothing"} → ${version || "?"} (asked by ${cause}${late})`, ...(reason ? [reason] : [])];
  return { id: id.slice(0, 300), what: WHAT[outcome], why: why.join(": ").slice(0, 2_000) };
}
