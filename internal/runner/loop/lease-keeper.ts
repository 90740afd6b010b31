import type { Clock } from "../../kit/base/clock.ts";
import { failpoint } from "../../kit/base/failpoint.ts";
import type { SystemLog } from "../../kit/base/system-log.ts";
import { reasonOf } from "../../protocol/errors.ts";
import type { ControlPlane, Wish } from "../controlplane/control-plane.ts";
import type { LiveExecution } from "./execution.ts";

/**
 * Renews the leases of running executions and carries their progress: every `renewMs` while busy, and soon after a
 * change. Nothing is sent while idle (the held claim is the sign of life then).
 *
 * A lease that cannot be renewed because nobody answers is not lost: the tool goes on, and the control plane says at
 * the next contact whether the epoch still counts.
 */
export interface LeaseKeeperDeps {
  readonly controlPlane: ControlPlane;
  readonly clock: Clock;
  readonly log: SystemLog;
  readonly live: () => readonly LiveExecution[];
  readonly renewMs: () => number;
  readonly obey: (wish: Wish) => void;
  readonly signal: AbortSignal;
}

/** Changes of progress are gathered this long: a job that is over sooner never costs a request. */
const GATHER_MS = 150;

export function createLeaseKeeper(deps: LeaseKeeperDeps) {
  const { clock, signal } = deps;
  let timer: AbortController | null = null;
  let busy = false;
  let again = false;

  const renew = async (): Promise<void> => {
    // In cleanup the outcome is recorded: there is no lease any more.
    const executions = deps
      .live()
      .map((execution) => execution.progress())
      .filter(({ phase }) => phase !== "cleanup");
    if (executions.length === 0 || signal.aborted) return;
    const answer = await deps.controlPlane.renew(executions, signal);
    failpoint("runner.renew");
    if (!answer.ok) {
      if (!signal.aborted) deps.log.warn("leases could not be renewed", { reason: answer.error.message });
      return;
    }
    for (const { execution_id, reason } of answer.value.lost) {
      const execution = deps.live().find((one) => one.ref.id === execution_id);
      execution?.stop({ kind: "fenced", why: reason });
    }
    for (const wish of answer.value.directives) deps.obey(wish);
  };

  const schedule = (ms: number) => {
    timer?.abort();
    const mine = new AbortController();
    timer = mine;
    void clock.sleep(ms, mine.signal).then(() => {
      if (!mine.signal.aborted) void tick();
    });
  };
  const tick = async () => {
    timer = null;
    if (signal.aborted) return;
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      await renew();
    } catch (error) {
      // Whatever it is, the next renewal is due all the same: the leases depend on it.
      deps.log.error("a renewal failed", { reason: reasonOf(error) });
    }
    busy = false;
    if (again) schedule(GATHER_MS);
    else if (deps.live().length > 0 && timer === null) schedule(deps.renewMs());
    again = false;
  };
  let changedAt = 0;

  return {
    /** Progress changed: tell soon. */
    changed(): void {
      const now = clock.monotonic();
      if (timer !== null && changedAt !== 0 && now - changedAt < GATHER_MS) return;
      changedAt = now;
      schedule(GATHER_MS);
    },
    /** Work has begun: the first renewal comes after a period, or with its first change of progress. */
    began(): void {
      if (timer === null && !busy) schedule(deps.renewMs());
    },
    stop(): void {
      timer?.abort();
    },
  };
}
