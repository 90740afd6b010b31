import type { Clock } from "../base/clock.ts";

/** Something to wait at: until it rings, or until the time is over. A ring while nobody waits is not lost. */
export interface Bell {
  ring(): void;
  /** Milliseconds; Infinity waits for the ring alone. */
  wait(ms: number): Promise<void>;
}

export function createBell(clock: Clock): Bell {
  let rung = false;
  let waiting: AbortController | undefined;
  return {
    ring: () => {
      rung = true;
      waiting?.abort();
    },
    wait: async (ms) => {
      if (!rung && ms > 0) {
        waiting = new AbortController();
        await clock.sleep(ms, waiting.signal);
        waiting = undefined;
      }
      rung = false;
    },
  };
}
