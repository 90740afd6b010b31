/**
 * When to read. The first batch goes out a moment after the first pending byte, later ones at most once per interval,
 * and at once when a whole window waits. The time runs from the first pending byte and is never started anew by
 * output (a step that prints all the time is shown all the time).
 */
export interface Ticks {
  next(now: number, position: number, size: number, flushing: boolean): TickStep;
  /** A batch is being sent. */
  sent(now: number): void;
}

export interface TickStep {
  /** 0: read now, as the flags say. */
  readonly waitMs: number;
  readonly partial: boolean;
  readonly calm: boolean;
  /** Only new output makes anything due. */
  readonly idle: boolean;
}

export interface TickRules {
  readonly intervalMs: number;
  /** An unfinished line is shown after waiting this long. */
  readonly partialAfterMs: number;
  /** This much pending is shipped without waiting. */
  readonly fullBytes: number;
}

/** Lines written together travel together. */
const GATHER_MS = 20;
/** No byte for this long: the writer has paused. */
const CALM_MS = 250;
/** While something waits, the size is looked at this often whatever the watcher says. */
const LOOK_MS = 100;

export function createTicks(rules: TickRules): Ticks {
  let position = -1;
  let size = -1;
  /** When the bytes at `position` were first seen, and when the size last changed. */
  let since = 0;
  let changed = 0;
  let sentAt = Number.NEGATIVE_INFINITY;
  /** What the last read of this position and size was allowed to do. */
  let tried: { readonly size: number; readonly at: number; readonly partial: boolean; readonly calm: boolean } | null =
    null;

  const observe = (now: number, at: number, end: number) => {
    if (end !== size) changed = now;
    if (at !== position || (size <= position && end > at)) {
      since = now;
      tried = null;
    }
    position = at;
    size = end;
  };

  const due = (): number => {
    if (size - position >= rules.fullBytes && !tried) return 0;
    const first = Math.max(since + GATHER_MS, sentAt + rules.intervalMs);
    if (!tried) return first;
    const partial = tried.partial ? Number.POSITIVE_INFINITY : since + rules.partialAfterMs;
    const calm = tried.calm ? Number.POSITIVE_INFINITY : changed + CALM_MS;
    const grown = tried.size === size ? Number.POSITIVE_INFINITY : tried.at + rules.intervalMs;
    return Math.min(partial, calm, grown);
  };

  const next = (now: number, at: number, end: number, flushing: boolean): TickStep => {
    observe(now, at, end);
    const partial = now - since >= rules.partialAfterMs;
    const calm = flushing || now - changed >= CALM_MS;
    if (flushing) return { waitMs: 0, partial, calm, idle: false };
    const waitMs = end > at ? due() - now : Number.POSITIVE_INFINITY;
    const idle = waitMs === Number.POSITIVE_INFINITY;
    if (waitMs > 0) return { waitMs: Math.min(waitMs, idle ? rules.intervalMs : LOOK_MS), partial, calm, idle };
    tried = { size: end, at: now, partial, calm };
    return { waitMs: 0, partial, calm, idle };
  };

  return {
    next,
    sent: (now) => {
      sentAt = now;
    },
  };
}
