import type { Clock } from "../../kit/base/clock.ts";
import type { SystemLog } from "../../kit/base/system-log.ts";
import { reasonOf } from "../../protocol/errors.ts";
import { knownBad } from "./guard.ts";
import { dropRequest, readRequest } from "./requests.ts";
import type { ServiceManager } from "./service-manager.ts";
import type { UpdateJournal } from "./update-journal.ts";
import type { Updater } from "./updater.ts";
import type { Versions } from "./versions.ts";
import type { MaintenanceWindow } from "./window.ts";

const TURN_MS = 500;
/** A runner that its service manager has given up is started again so often. */
const REVIVE_MS = 15_000;
/** Between tries of a version that could not be had; doubled up to the cap. */
const AGAIN = { base_ms: 60_000, cap_ms: 3_600_000 };

export interface SuperviseDeps {
  /** Of mng itself: requests lie there. */
  readonly stateDir: string;
  readonly versions: Versions;
  readonly journal: UpdateJournal;
  readonly updater: Updater;
  readonly manager: ServiceManager;
  /** The version that the settings ask for; null: none is known. */
  readonly wanted: () => string | null;
  /** null: updates come only from jobs and people. */
  readonly window: MaintenanceWindow | null;
  readonly clock: Clock;
  readonly log: SystemLog;
  readonly signal: AbortSignal;
}

/** Keeps the runner running and at the version that the settings ask for, until `signal`. Never rejects. */
export async function supervise(deps: SuperviseDeps): Promise<void> {
  const { updater, manager, clock, log, signal } = deps;
  const follow = createFollower(deps);
  try {
    await updater.resume();
  } catch (error) {
    log.error("an update could not be taken up again", { reason: reasonOf(error) });
  }
  const started = signal.aborted ? null : await manager.start();
  if (started?.ok === false) log.error(started.error.message, { remedy: started.error.remedy });
  let lookAt = clock.monotonic() + REVIVE_MS;
  while (!signal.aborted) {
    try {
      obey(deps);
      if (!updater.busy()) follow();
      if (!updater.busy() && clock.monotonic() >= lookAt) {
        lookAt = clock.monotonic() + REVIVE_MS;
        // One that met an error (a full disk) is tried again from where it stands.
        if (deps.journal.read().open !== null) await updater.resume();
        else await revive(deps);
      }
    } catch (error) {
      log.error("looking after the runner", { reason: reasonOf(error) });
    }
    await clock.sleep(TURN_MS, signal);
  }
}

/** A person's stop (`systemctl stop`) is respected; a service manager's resignation is not. */
async function revive({ manager, log }: SuperviseDeps): Promise<void> {
  const { failed, text } = await manager.state();
  if (!failed) return;
  log.warn("the service manager has given the runner up; it is started again", { state: text });
  const started = await manager.start();
  if (!started.ok) log.error(started.error.message);
}

function obey({ stateDir, journal, updater, log }: SuperviseDeps): void {
  const asked = updater.busy() ? null : readRequest(stateDir);
  if (asked === null) return;
  // Its outcome is kept under its id in the journal.
  const done =
    asked.what === "update"
      ? updater.update({ id: asked.id, cause: "person", wanted: asked.version })
      : updater.rollback(asked.id, asked.reason);
  void done.then(({ outcome, reason }) => {
    if (outcome === "failed" && journal.read().last?.id !== asked.id)
      log.error("what was asked for was not begun", { reason });
    dropRequest(stateDir, asked.id);
  });
}

/** Answers what to call in each turn. What stands in the way is said once for each version. */
function createFollower({ journal, versions, updater, wanted, window, clock, log, signal }: SuperviseDeps): () => void {
  let told = "";
  let pause = AGAIN.base_ms;
  let tryAt = 0;
  let asked = "";
  const say = (text: string, fields: Record<string, string>) => {
    const whole = JSON.stringify([text, fields]);
    if (whole !== told) log.info(text, fields);
    told = whole;
  };
  return () => {
    const version = wanted();
    const { current } = versions.pointers();
    if (version === null || current === null || versions.is(version, current) || signal.aborted) return;
    if (version !== asked) {
      asked = version;
      pause = AGAIN.base_ms;
      tryAt = 0;
    }
    const fields = { wanted: version, running: current };
    const bad = knownBad(journal.read(), version, versions.is);
    if (bad !== null)
      return say("the wanted version was rolled back before; it is not tried again by itself", {
        ...fields,
        reason: bad,
      });
    if (window === null) return say("the settings ask for another version; updates by themselves are off", fields);
    if (!window(clock.now()))
      return say("the settings ask for another version; waiting for the maintenance window", fields);
    if (clock.monotonic() < tryAt) return;
    const id = `settings:${version}:${clock.now()}`;
    void updater.update({ id, cause: "settings", wanted: version }).then(({ outcome }) => {
      if (outcome !== "failed") return;
      tryAt = clock.monotonic() + pause;
      pause = Math.min(pause * 2, AGAIN.cap_ms);
    });
  };
}
