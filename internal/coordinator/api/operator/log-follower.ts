import type { LogLine } from "../../../protocol/operator.ts";
import { type LogDeps, type LogPlace, logIsComplete, parseCursor, readLog, streamsOf } from "./log-reader.ts";
import { createNudge } from "./sse.ts";

/** A runner that died cannot report its cleanup: a live log ends this long after the job, in milliseconds. */
const SILENT_RUNNER_MS = 10_000;
/** The end after a silent runner is a matter of time, not of events: looked at this often. */
const LOOK_MS = 1_000;

/** The log of a job or change as it grows. */
export interface LogFollower {
  /** Lines at once when there are some, `null` when none came within `waitMs`, `undefined` when none will come. */
  next(waitMs: number, signal: AbortSignal): Promise<LogLine[] | null | undefined>;
  close(): void;
}

export function followLog(deps: LogDeps, id: string, from: LogPlace): LogFollower {
  const { store, logs } = deps;
  const changed = createNudge();
  const unsubscribe = store.events.subscribe(changed.nudge);
  const closed = new AbortController();
  let place = from;
  /** Stored bytes of the current stream when it was last read to its end. */
  let seen = 0;
  let pages: AsyncGenerator<LogLine[]> | null = null;

  const bytesOf = (stream: string | undefined) =>
    stream === undefined ? 0 : (store.sql.logStream.get(stream)?.bytes ?? 0);

  const read = async (): Promise<LogLine[]> => {
    if (pages === null) {
      // A stream is left only when the next one exists; its size is taken before it is read.
      seen = bytesOf((streamsOf(store, id) ?? [])[place.stream]);
      pages = readLog(deps, id, place);
    }
    const page = await pages.next();
    if (page.done === true) {
      pages = null;
      return [];
    }
    place = parseCursor(page.value.at(-1)?.cursor ?? "") ?? place;
    return page.value;
  };

  const more = async (waitMs: number, signal: AbortSignal): Promise<void> => {
    const done = new AbortController();
    const stop = AbortSignal.any([signal, closed.signal, done.signal]);
    const stream = (streamsOf(store, id) ?? [])[place.stream];
    const grown = stream === undefined ? [] : [logs.grown(stream, seen, stop)];
    await Promise.race([changed.wait(waitMs, stop), ...grown]);
    done.abort();
  };

  return {
    next: async (waitMs, signal) => {
      const until = performance.now() + waitMs;
      while (!signal.aborted) {
        // Asked before reading: what is stored after the answer would otherwise be missed.
        const complete = logIsComplete(store, id, SILENT_RUNNER_MS);
        const page = await read();
        if (page.length > 0) return page;
        if (complete) return undefined;
        const left = until - performance.now();
        if (left <= 0) return null;
        await more(Math.min(left, LOOK_MS), signal);
      }
      return undefined;
    },
    close: () => {
      closed.abort();
      unsubscribe();
    },
  };
}
