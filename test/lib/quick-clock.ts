import { type Clock, systemClock } from "../../internal/kit/base/clock.ts";

/** A clock that runs `factor` times as fast as the real one: back-offs of minutes pass in milliseconds, in order. */
export function quickClock(factor = 200): Clock & { readonly slept: readonly number[] } {
  const slept: number[] = [];
  const startedAt = systemClock.now();
  const started = systemClock.monotonic();
  const elapsed = () => (systemClock.monotonic() - started) * factor;
  return {
    slept,
    now: () => startedAt + elapsed(),
    monotonic: elapsed,
    sleep: (ms, signal) => {
      slept.push(ms);
      return systemClock.sleep(ms / factor, signal);
    },
  };
}
