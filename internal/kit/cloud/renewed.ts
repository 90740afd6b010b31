import { type Clock, systemClock } from "../base/clock.ts";

/** Something that is good until a time, milliseconds since the epoch; null: for ever. */
export interface Expiring<T> {
  readonly value: T;
  readonly untilMs: number | null;
}
export type Renewed<T> = () => Promise<Expiring<T>>;

/** Asked again this long before the end, so that nothing under way meets it. A failed renewal is repeated until then. */
const EARLY_MS = 5 * 60_000;
/** Of short lives, a third: a token of 60 s is renewed after 40 s. */
const SHARE = 3;

/** One asking at a time, for all who wait; what is held is given out as long as it is good. */
export function renewed<T>(make: () => Promise<Expiring<T>>, clock: Clock = systemClock): Renewed<T> {
  let held: { readonly it: Expiring<T>; readonly renewAtMs: number } | null = null;
  let asking: Promise<Expiring<T>> | null = null;
  const ask = async () => {
    const begun = clock.now();
    const it = await make();
    const life = it.untilMs === null ? Number.POSITIVE_INFINITY : it.untilMs - begun;
    held = { it, renewAtMs: begun + life - Math.min(EARLY_MS, life / SHARE) };
    return it;
  };
  return async () => {
    if (held !== null && clock.now() < held.renewAtMs) return held.it;
    asking ??= ask().finally(() => {
      asking = null;
    });
    try {
      return await asking;
    } catch (error) {
      if (held !== null && clock.now() < (held.it.untilMs ?? Number.POSITIVE_INFINITY)) return held.it;
      throw error;
    }
  };
}
