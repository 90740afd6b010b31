import { systemClock } from "../../../kit/base/clock.ts";
import { StopError, type StopReason } from "../../handler.ts";

/** Between two looks at the cluster: soon at first, then unhurried. */
const FIRST_MS = 250;
const MOST_MS = 2_000;

export interface Deadline {
  /** Sleeps until the next look. false: the time is over. Throws StopError when the job is stopped. */
  pause(): Promise<boolean>;
  /** `5m`, for messages. */
  readonly text: string;
}

/** `ms` null: no end but the job's own. */
export function createDeadline(signal: AbortSignal, ms: number | null): Deadline {
  const end = ms === null ? Number.POSITIVE_INFINITY : systemClock.monotonic() + ms;
  let step = FIRST_MS;
  return {
    async pause() {
      const left = end - systemClock.monotonic();
      if (left <= 0) return false;
      await systemClock.sleep(Math.min(step, left), signal);
      step = Math.min(MOST_MS, step * 1.5);
      if (signal.aborted) throw new StopError(signal.reason as StopReason);
      return true;
    },
    text: ms === null ? "" : durationText(ms),
  };
}

function durationText(ms: number): string {
  if (ms < 1_000) return `${ms}ms`;
  const seconds = Math.round(ms / 1_000);
  return seconds % 60 === 0 ? `${seconds / 60}m` : `${seconds}s`;
}
