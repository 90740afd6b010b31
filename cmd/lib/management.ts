import { splitArgv } from "../../internal/kit/argv/split-argv.ts";
import { systemClock } from "../../internal/kit/base/clock.ts";
import { reasonOf } from "../../internal/protocol/errors.ts";
import type { RunnerEvent } from "../../internal/protocol/native.ts";
import { expectedVersion } from "../../internal/protocol/runner-wishes.ts";
import type { Management } from "../../internal/runner/handler.ts";
import type { Vitals } from "../../internal/runner/loop/vitals.ts";
import type { RunnerProcess } from "../../internal/runner/runner.ts";
import { watchHost } from "../../internal/runner/supervisor/host-watch.ts";
import { reportUpdates } from "../../internal/runner/supervisor/report-updates.ts";
import type { ServiceManager } from "../../internal/runner/supervisor/service-manager.ts";
import { supervise } from "../../internal/runner/supervisor/supervise.ts";
import { openUpdateJournal } from "../../internal/runner/supervisor/update-journal.ts";
import { createUpdater, type UpdateOutcome } from "../../internal/runner/supervisor/updater.ts";
import { parseWindow } from "../../internal/runner/supervisor/window.ts";
import type { Context } from "./context.ts";
import { managerFor } from "./managed-service.ts";
import { refuseBad } from "./own-version.ts";
import { layoutFor, ownVersionIn } from "./releases.ts";
import { versionsFor, withPlace } from "./versions.ts";

/** The control plane is taken for reachable so long after its last answer. */
const REACHABLE_MS = 60_000;
/** A report that nobody takes does not keep a machine running for ever. */
const POWER_OFF_MS = 120_000;

/** Mode mng beside its own loop: the runner of this machine, its updates, the machine itself. */
export interface Managed {
  readonly management: Management;
  /** The state directory is ours: begin. Before the control plane is asked anything. */
  begin(vitals: Pick<Vitals, "registry" | "lastContact">): void;
  watch(runner: RunnerProcess): void;
  /** This process ends; the runner stays. Powers the machine off where a job asked for it. */
  end(): Promise<void>;
}

/** Throws RunnerError usage for settings that cannot be used. */
export function manage(context: Context, stateDir: string, leave: (why: string) => void): Managed {
  const { values, log, version } = context;
  const window = windowOf(context);
  const layout = layoutFor(context);
  const versions = versionsFor(context, stateDir, layout);
  const image = versions.kind === "image";
  const journal = openUpdateJournal(stateDir);
  const ending = new AbortController();
  const ownReady = Promise.withResolvers<void>();
  const started = Promise.withResolvers<RunnerProcess>();
  const tell = (event: RunnerEvent) => started.promise.then((one) => one.tell(event));
  let runner: RunnerProcess | null = null;
  let lastContact: Vitals["lastContact"] = () => null;
  let powerOff = false;
  let manager: ServiceManager | null = null;
  const needManager = () => {
    manager ??= managerFor(context, stateDir, layout, { lasts: true });
    return manager;
  };
  const placed = (wanted: string) =>
    image ? withPlace(wanted, runner?.status().settings?.container_image_url) : wanted;
  const updater = lazily(() =>
    createUpdater({
      versions,
      journal,
      manager: needManager(),
      options: updateOptions(context),
      // Where the runner is an image, this process is of none.
      ownVersion: image ? null : ownVersionIn(layout, version),
      reachable: () => {
        const contact = lastContact();
        return contact !== null && systemClock.now() - contact < REACHABLE_MS;
      },
      ownReady: ownReady.promise,
      leave,
      clock: systemClock,
      log,
    }),
  );

  return {
    management: {
      update: async (id, wanted) => told(await updater().update({ id, cause: "job", wanted: placed(wanted) })),
      async restart() {
        const fault = await updater().restart();
        return fault === null
          ? { ok: true, text: "the runner was restarted and is connected" }
          : { ok: false, text: `the runner was restarted but is not healthy: ${fault}` };
      },
      powerOff: () => {
        powerOff = true;
        const timer = setTimeout(() => void run(values.powerOff, context), POWER_OFF_MS);
        timer.unref();
      },
    },
    begin(vitals) {
      const { registry } = vitals;
      lastContact = vitals.lastContact;
      refuseBad({ layout, journal, version });
      const { signal } = ending;
      const low = { disk: values.lowDisk, memory: values.lowMemory };
      const common = { clock: systemClock, log, signal };
      void watchHost({ folders: [stateDir, layout.root], low, registry, tell: (event) => void tell(event), ...common });
      void reportUpdates({ journal, stateDir, tell, ...common });
      const wanted = () => {
        const version = expectedVersion(runner?.status().settings ?? {});
        return version === null ? null : placed(version);
      };
      void supervise({
        stateDir,
        versions,
        journal,
        updater: updater(),
        manager: needManager(),
        wanted,
        window: values.autoUpdate === "on" ? window : null,
        clock: systemClock,
        log,
        signal,
      });
    },
    watch(begun) {
      runner = begun;
      started.resolve(begun);
      void begun.ready.then(
        () => ownReady.resolve(),
        () => {},
      );
    },
    async end() {
      ending.abort();
      manager?.close();
      if (powerOff) await run(values.powerOff, context);
    },
  };
}

function lazily<T>(make: () => T): () => T {
  let made: T | null = null;
  return () => {
    made ??= make();
    return made;
  };
}

function windowOf({ values }: Context) {
  if (values.maintenanceWindow === null) return () => true;
  const parsed = parseWindow(values.maintenanceWindow);
  if (!parsed.ok) throw parsed.error;
  return parsed.value;
}

export const updateOptions = ({ values }: Context) => ({
  deadlineMs: values.updateDeadline,
  settleMs: values.updateSettle,
  when: values.updateWhen,
});

const told = ({ outcome, version, from, reason }: UpdateOutcome) => {
  if (outcome === "updated") return { ok: true, text: `updated from ${from} to ${version}` };
  if (outcome === "current") return { ok: true, text: reason };
  if (outcome === "rolled-back") return { ok: false, text: `version ${version} was rolled back: ${reason}` };
  return { ok: false, text: `the update to ${version || "another version"} failed: ${reason}` };
};

async function run(command: string, { log }: Context): Promise<void> {
  log.warn("powering the machine off", { command });
  try {
    const child = Bun.spawn(splitArgv(command), { stdin: "ignore", stdout: "ignore", stderr: "inherit" });
    const code = await child.exited;
    if (code !== 0) log.error("the machine could not be powered off", { command, code });
  } catch (error) {
    log.error("the machine could not be powered off", { command, reason: reasonOf(error) });
  }
}
