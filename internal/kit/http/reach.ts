import type { Clock } from "../base/clock.ts";
import type { SystemLog } from "../base/system-log.ts";

/** Says once that the peer is away and once that it is back, whatever the number of tries and of requests. */
export interface Reach {
  /** A try failed. `network`: no answer at all; else the peer answers, but `tag` does not work there. */
  trouble(tag: string, kind: "network" | "answer", why: string): void;
  /** An answer came that can be used. */
  good(tag: string): void;
  /** The request was given up: it can no longer tell whether the peer is back. */
  forget(tag: string): void;
}

/**
 * One failing route must not flap with the others that work: "back" needs the route itself to work again, or, after
 * silence, any answer at all.
 */
export function createReach(peer: string, log: SystemLog, clock: Clock): Reach {
  const open = new Map<string, "network" | "answer">();
  let awaySince: number | null = null;
  return {
    trouble(tag, kind, why) {
      open.set(tag, kind);
      if (awaySince !== null) return;
      awaySince = clock.monotonic();
      log.warn(
        `${peer} ${kind === "network" ? "cannot be reached" : "does not answer as it should"}; trying again until it does`,
        {
          why,
        },
      );
    },
    good(tag) {
      if (awaySince === null) return;
      open.delete(tag);
      for (const [other, kind] of open) if (kind === "network") open.delete(other);
      if (open.size > 0) return;
      log.info(`${peer} is back`, { after_s: Math.round((clock.monotonic() - awaySince) / 1_000) });
      awaySince = null;
    },
    forget(tag) {
      open.delete(tag);
    },
  };
}
