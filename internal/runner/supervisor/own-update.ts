import { type Clock, systemClock } from "../../kit/base/clock.ts";
import { failpoint } from "../../kit/base/failpoint.ts";
import type { SystemLog } from "../../kit/base/system-log.ts";
import { fail, ok, type Result, RunnerError, reasonOf } from "../../protocol/errors.ts";
import { withInstallLock } from "./install-lock.ts";
import type { Layout } from "./layout.ts";
import type { Stage } from "./stage.ts";
import type { UpdateJournal } from "./update-journal.ts";
import { tell } from "./updater.ts";

/** An install.sh at work is waited for. */
const INSTALL_MS = 120_000;

export interface OwnUpdateDeps {
  readonly layout: Layout;
  readonly journal: UpdateJournal;
  readonly stage: Stage;
  readonly settleMs: number;
  readonly clock?: Clock;
  readonly log: SystemLog;
}

/** A runner that nobody manages moves the links itself and ends; its service manager starts what they name then. */
export interface OwnUpdate {
  /** Verified, put beside, tried, switched. The version that the next start is of. Again with the same id: no change. */
  prepare(id: string, wanted: string): Promise<Result<string>>;
  /** To be called when this process has its session: after a while the new version is taken for healthy. */
  ready(version: string, signal: AbortSignal): Promise<void>;
  /** Says what came of an update that was rolled back before this start. */
  tellLast(): void;
}

export function createOwnUpdate(deps: OwnUpdateDeps): OwnUpdate {
  const { layout, journal, stage, settleMs, clock = systemClock, log } = deps;
  return {
    async prepare(id, wanted) {
      const before = journal.read();
      const from = layout.pointers();
      // Again after a crash, which may have come before the links were moved.
      if (before.open?.id === id && from.current === before.open.version) return ok(before.open.version);
      if (from.current === null) {
        return fail(
          new RunnerError(
            "environment",
            `${layout.root}/current is missing: nothing here was installed by install.sh`,
            {
              remedy: "An image is replaced by its own platform; on a machine install the runner with install.sh.",
            },
          ),
        );
      }
      const staged = await stage(wanted);
      if (!staged.ok) return staged;
      const { version } = staged.value;
      if (version === from.current) return ok(version);
      failpoint("update.staged");
      const started_ms = clock.now();
      const open = { id, cause: "job" as const, wanted, version, from: from.current, before: from.previous };
      journal.write({
        ...before,
        open: { ...open, phase: "pending", reason: "", starts: 0, guarded: false, started_ms },
      });
      failpoint("update.pending");
      try {
        const previous = from.current;
        await withInstallLock(layout.root, clock, INSTALL_MS, () => layout.point({ current: version, previous }));
      } catch (cause) {
        journal.write(before);
        return fail(
          new RunnerError("environment", `the links in ${layout.root} cannot be moved: ${reasonOf(cause)}`, { cause }),
        );
      }
      failpoint("update.switched");
      return ok(version);
    },
    async ready(version, signal) {
      const { open } = journal.read();
      if (open?.phase !== "pending" || open.version !== version) return;
      await clock.sleep(settleMs, signal);
      if (signal.aborted) return;
      const { id, cause, from, started_ms } = open;
      const end = { id, cause, version, from, outcome: "updated" as const, reason: "", started_ms };
      const doc = journal.read();
      journal.write({ ...doc, open: null, last: { ...end, ended_ms: clock.now(), told: true } });
      tell(log, end);
    },
    tellLast() {
      const doc = journal.read();
      if (doc.last === null || doc.last.told) return;
      tell(log, doc.last);
      journal.write({ ...doc, last: { ...doc.last, told: true } });
    },
  };
}
