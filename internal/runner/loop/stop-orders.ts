import type { Clock } from "../../kit/base/clock.ts";
import type { SystemLog } from "../../kit/base/system-log.ts";
import type { LiveJobs } from "./live-jobs.ts";

/** After a cancel: an outcome that nobody takes for so long stays in the journal and goes out at the next start. */
const LAST_REPORT_MS = 30_000;

/** The three ways to end (DESIGN invariant 8): finish what runs, stop what runs, leave what runs. */
export interface StopOrders {
  drain(why: string): void;
  cancel(why: string): void;
  /** Tools go on without us; the next start finds them. */
  abandon(why: string): void;
}

export interface StopOrdersDeps {
  readonly jobs: () => LiveJobs;
  readonly clock: Clock;
  readonly log: SystemLog;
  /** null: as long as running jobs need. */
  readonly drainTimeoutMs: number | null;
  /** Aborted: no new work. */
  readonly draining: AbortController;
  /** Aborted: the process goes. */
  readonly going: AbortController;
}

export function createStopOrders(deps: StopOrdersDeps): StopOrders {
  const { clock, log, draining, going } = deps;
  const running = () => deps.jobs().all().length;

  /** Running jobs end by their ladders and are reported; a control plane that is away does not hold the end up. */
  const stopWork = async (why: string) => {
    const jobs = deps.jobs();
    jobs.stopAll({ kind: "cancelled", why });
    await Promise.allSettled(jobs.all().map((execution) => execution.over));
    await clock.sleep(LAST_REPORT_MS, going.signal);
    if (going.signal.aborted || running() === 0) return;
    log.warn("leaving with outcomes that nobody took; they go out at the next start", { outcomes: running() });
    going.abort();
  };

  const drain = (why: string) => {
    if (draining.signal.aborted) return;
    log.info("draining: no new work, running jobs go on", { why, running: running() });
    draining.abort();
    if (deps.drainTimeoutMs === null) return;
    void clock.sleep(deps.drainTimeoutMs, going.signal).then(() => {
      if (!going.signal.aborted) return stopWork("the runner's drain timeout is over");
    });
  };

  return {
    drain,
    cancel(why) {
      drain(why);
      void stopWork(why);
    },
    abandon(why) {
      const text = "leaving at once; running tools go on and are found again at the next start";
      log.warn(text, { why, running: running() });
      deps.jobs().stopAll({ kind: "abandoned", why });
      going.abort();
      draining.abort();
    },
  };
}
