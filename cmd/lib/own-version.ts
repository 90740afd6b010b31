import { systemClock } from "../../internal/kit/base/clock.ts";
import { RunnerError } from "../../internal/protocol/errors.ts";
import type { RunnerControl } from "../../internal/runner/handler.ts";
import type { RunnerProcess } from "../../internal/runner/runner.ts";
import { guardStart } from "../../internal/runner/supervisor/guard.ts";
import type { Layout } from "../../internal/runner/supervisor/layout.ts";
import { createOwnUpdate } from "../../internal/runner/supervisor/own-update.ts";
import { reportUpdates } from "../../internal/runner/supervisor/report-updates.ts";
import { openUpdateJournal, type UpdateJournal } from "../../internal/runner/supervisor/update-journal.ts";
import type { Context } from "./context.ts";
import { layoutFor, ownVersionIn, stageFor } from "./releases.ts";

/** Updates of a runner that nobody manages: it moves the links, ends, and its service manager starts what they name. */
export interface OwnVersion {
  readonly ownUpdate: NonNullable<RunnerControl["ownUpdate"]>;
  /** The state directory is ours. Throws RunnerError when this version has to make way for the one before. */
  begin(): void;
  watch(runner: RunnerProcess): void;
}

/** null: this program was not installed by install.sh, so its version is its platform's business. */
export function ownVersionOf(context: Context, stateDir: string): OwnVersion | null {
  const { values, version, log } = context;
  const layout = layoutFor(context);
  if (ownVersionIn(layout, version) === null) return null;
  const journal = openUpdateJournal(stateDir);
  const stage = stageFor(context, layout);
  const own = createOwnUpdate({ layout, journal, stage, settleMs: values.updateSettle, log });
  return {
    async ownUpdate(id, wanted) {
      const prepared = await own.prepare(id, wanted);
      if (prepared.ok) return { ok: true, text: `version ${prepared.value} is in place; this process ends for it` };
      const { message, remedy } = prepared.error;
      return { ok: false, text: remedy ? `${message}. ${remedy}` : message };
    },
    begin() {
      refuseBad({ layout, journal, version });
      own.tellLast();
    },
    watch(runner) {
      const over = new AbortController();
      void runner.ended.then(() => over.abort());
      void reportUpdates({ journal, stateDir, tell: runner.tell, clock: systemClock, log, signal: over.signal });
      void runner.ready.then(
        () => own.ready(version, over.signal),
        () => {},
      );
    },
  };
}

/** Counts this start where the version has not proved itself yet. Throws RunnerError environment when it is not to run. */
export function refuseBad(what: {
  readonly layout: Layout;
  readonly journal: UpdateJournal;
  readonly version: string;
}) {
  if (guardStart({ layout: what.layout, journal: what.journal, now: systemClock.now, by: "itself" }) === "go") return;
  const { current } = what.layout.pointers();
  throw new RunnerError("environment", `version ${what.version} never became healthy; ${current} is used again`, {
    remedy: "The service manager starts it. `runner mng status` says more.",
  });
}
