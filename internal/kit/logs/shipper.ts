import { type FSWatcher, fstatSync, watch } from "node:fs";
import { type Result, RunnerError, reasonOf } from "../../protocol/errors.ts";
import { LOG_ATTRIBUTES } from "../../protocol/native.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { passedBytes } from "../base/passed-bytes.ts";
import { type SystemLog, silentLog } from "../base/system-log.ts";
import { createBell } from "./bell.ts";
import { createGaps } from "./gaps.ts";
import { findHoles, HOLE_BYTES, prepareHoles, punchHole } from "./punch-hole.ts";
import { type LogReader, WINDOW_BYTES } from "./reader.ts";
import { createTicks } from "./ticks.ts";
import type { LogBatch, LogRecord } from "./types.ts";

export type LogSink = (batch: LogBatch, signal: AbortSignal) => Promise<Result<{ readonly stored: number }>>;

export interface ShipperOptions {
  /** Watched for growth. */
  readonly path: string;
  /** The same file, open for reading and writing (freeing blocks needs it); stays the caller's, not used after `stop`. */
  readonly fd: number;
  readonly reader: LogReader;
  /** Delivers one batch, with its own retries; an error it returns is final. */
  readonly sink: LogSink;
  /** Where to begin: what the server has, 0 for a new execution. A wrong guess is put right by the first answer. */
  readonly from?: number;
  /** Told after each answer: the position the server has. A hint to begin with after a restart. */
  readonly stored?: (position: number) => void;
  /** Longest wait between the first pending byte and its shipping. */
  readonly intervalMs: number;
  /** Unshipped bytes beyond this are dropped, oldest first, with a notice. */
  readonly capBytes: number;
  /** Drop what waits (but the last MiB) while less than `minFreeBytes` are free. */
  readonly minFreeBytes?: number;
  readonly freeBytes?: () => number;
  /** An unfinished line is shown after this long. Default 2 s. */
  readonly partialAfterMs?: number;
  /** Called once when the sink gave up. */
  readonly onStopped?: (error: RunnerError) => void;
  readonly log?: SystemLog;
  readonly clock?: Clock;
}

export interface ShipperCounters {
  readonly shippedBytes: number;
  readonly batches: number;
  readonly records: number;
  /** Dropped by the cap or a full disk. */
  readonly droppedBytes: number;
  /** Shipped, freed here, and then missing on the server. */
  readonly lostBytes: number;
}

export interface Flushed {
  /** Position up to which the server has everything. */
  readonly shipped: number;
  /** Bytes behind it. */
  readonly pending: number;
}

export interface Shipper {
  /** Look at the file now (the runner wrote a line, a tool ended). */
  wake(): void;
  /**
   * Ship what is in the file now; `final`: nothing will follow, the unfinished last line goes too. Resolves when it is
   * delivered, when shipping has stopped, or when the deadline is aborted.
   */
  flush(final: boolean, deadline?: AbortSignal): Promise<Flushed>;
  /** What is needed to redact is missing: ship one notice instead of the log. */
  withhold(reason: string): void;
  counters(): ShipperCounters;
  /** Position the server has. */
  position(): number;
  /** End now; an open request is aborted, its answer ignored. The file stays. */
  stop(): void;
}

/** Enough for lines written together to travel together. */
const KEEP_ON_LOW_DISK = 1 << 20;
const GUARD_MS = 1_000;
const STALL_CAP_MS = 15_000;

interface Withheld {
  readonly reason: string;
  /** The notice, once it has been made, and whether it was delivered. */
  notice: LogBatch | null;
  told: boolean;
}

interface Waiter {
  readonly final: boolean;
  readonly target: number;
  readonly done: () => void;
}

/** Owns tail and delivery of one execution's output file. */
export function createShipper(options: ShipperOptions): Shipper {
  const { fd, reader, sink, clock = systemClock, intervalMs, log = silentLog } = options;
  const bell = createBell(clock);
  const gaps = createGaps();
  const abort = new AbortController();
  const count = { shippedBytes: 0, batches: 0, records: 0, droppedBytes: 0, lostBytes: 0 };
  let position = options.from ?? 0;
  let freed = 0;
  let inFlight: LogBatch | null = null;
  let ended = false;
  let stalls = 0;
  let withheld: Withheld | null = null;
  let idle = false;
  let waiters: Waiter[] = [];

  let lastSize = 0;
  /** The fd may be closed, even be another file's, once we are stopped. */
  const size = () => {
    if (!abort.signal.aborted) lastSize = fstatSync(fd).size;
    return lastSize;
  };
  const ticks = createTicks({ intervalMs, partialAfterMs: options.partialAfterMs ?? 2_000, fullBytes: WINDOW_BYTES });

  const notice = (from: number, to: number, text: string, attributes: LogRecord["attributes"]): LogBatch => {
    const time = BigInt(Math.round(clock.now() * 1000)) * 1000n;
    return { from, to, records: [{ time, severity: "warn", text, source: "runner", partial: false, attributes }] };
  };

  /** The batch at `from`: a notice for a gap, the log, or nothing yet. */
  const batchAt = (from: number, end: number, show: { partial: boolean; calm: boolean; final: boolean }) => {
    if (withheld) return withheldBatch(withheld, from, end, show.final);
    const gap = gaps.next(from);
    if (gap && gap.from <= from) {
      const bytes = gap.to - from;
      return notice(from, gap.to, `${bytes} bytes of output are missing here: ${gap.why}`, {
        [LOG_ATTRIBUTES.dropped]: bytes,
      });
    }
    if (from >= end) return null;
    const torn = gap !== undefined && gap.from < end;
    return reader.read(from, { ...show, end: torn ? gap.from : end, closed: torn || show.final, torn });
  };

  const withheldBatch = (state: Withheld, from: number, end: number, final: boolean) => {
    if (from >= end || (state.told && !final)) return null;
    if (state.told) return { from, to: end, records: [] };
    state.notice = notice(from, end, `the log is withheld from here on: ${state.reason}`, {
      [LOG_ATTRIBUTES.dropped]: end - from,
    });
    return state.notice;
  };

  /** Ranges that were freed on disk at or behind `from`; answers their bytes. */
  const skipHoles = (from: number, why: string): number => {
    let bytes = 0;
    for (const hole of findHoles(fd, from, size())) {
      const to = reader.nextLine(hole.to, size());
      gaps.add({ from: hole.from, to, why });
      bytes += to - hole.from;
    }
    return bytes;
  };

  const settle = (batch: LogBatch, stored: number) => {
    stalls = stored > batch.from ? 0 : stalls + 1;
    if (stored < batch.from) {
      count.lostBytes += skipHoles(stored, "the control plane lost them after they had been delivered");
    }
    if (stored >= batch.to) {
      count.shippedBytes += batch.to - batch.from;
      passedBytes(batch.to - batch.from);
      count.records += batch.records.length;
      if (withheld?.notice === batch) withheld.told = true;
    }
    position = stored;
    options.stored?.(stored);
    // The byte before the position stays: it tells whether a line begins there.
    if (stored - freed > HOLE_BYTES && punchHole(fd, freed, stored - 1)) {
      freed = Math.floor((stored - 1) / HOLE_BYTES) * HOLE_BYTES;
    }
  };

  const stopShipping = (error: RunnerError) => {
    ended = true;
    if (abort.signal.aborted) return;
    log.error("the log of a job is no longer delivered", { reason: error.message, path: options.path });
    options.onStopped?.(error);
  };

  const ship = async (batch: LogBatch): Promise<void> => {
    inFlight = batch;
    ticks.sent(clock.monotonic());
    const answer = await sink(batch, abort.signal);
    inFlight = null;
    if (abort.signal.aborted) return;
    count.batches++;
    if (!answer.ok) return stopShipping(answer.error);
    settle(batch, answer.value.stored);
    if (stalls > 0) await clock.sleep(Math.min(STALL_CAP_MS, intervalMs * 2 ** stalls), abort.signal);
  };

  /** Bounds what waits on disk; runs beside an open request, and never touches what that one carries. */
  const guard = () => {
    const base = Math.max(position, inFlight?.to ?? 0);
    const end = size();
    const waiting = end - base - gaps.bytesAfter(base);
    const low = options.freeBytes !== undefined && options.freeBytes() < (options.minFreeBytes ?? 0);
    const allowed = low ? Math.min(KEEP_ON_LOW_DISK, options.capBytes) : options.capBytes;
    if (waiting <= allowed) return;
    const known = gaps.next(base);
    const start = known && known.from <= base ? known.to : base;
    const to = reader.nextLine(Math.min(end, start + waiting - allowed), end);
    const why = low ? "the disk was nearly full" : `more than ${options.capBytes} bytes waited to be delivered`;
    gaps.add({ from: base, to, why });
    count.droppedBytes += to - start;
    punchHole(fd, base, to);
  };

  const answerWaiters = (nothingLeft: boolean) => {
    const ready = waiters.filter((waiter) => ended || nothingLeft || position >= waiter.target);
    waiters = waiters.filter((waiter) => !ready.includes(waiter));
    for (const waiter of ready) waiter.done();
  };

  const turn = async (): Promise<void> => {
    const end = size();
    const flushing = waiters.length > 0;
    const step = ticks.next(clock.monotonic(), position, end, flushing);
    idle = step.idle;
    if (step.waitMs > 0) return bell.wait(step.waitMs);
    const final = waiters.some((waiter) => waiter.final);
    const batch = batchAt(position, end, { partial: step.partial, calm: step.calm, final });
    if (batch) await ship(batch);
    answerWaiters(batch === null);
  };

  const run = async (): Promise<void> => {
    await prepareHoles();
    if (abort.signal.aborted) return;
    skipHoles(position, "they were freed to keep the disk from filling up");
    while (!ended && !abort.signal.aborted) await turn();
    ended = true;
    answerWaiters(true);
  };

  const watchDisk = async (): Promise<void> => {
    while (!ended && !abort.signal.aborted) {
      guard();
      await clock.sleep(GUARD_MS, abort.signal);
    }
  };

  const failed = (error: unknown) => {
    stopShipping(new RunnerError("defect", `the log shipper failed: ${reasonOf(error)}`, { cause: error }));
    answerWaiters(true);
  };
  // While something waits, the tick decides; an event per write of a busy tool would only cost time.
  const watcher = watchFile(options.path, () => idle && bell.ring());
  void run().catch(failed);
  void watchDisk().catch(failed);

  const flushed = (): Flushed => ({
    shipped: position,
    pending: ended && fdClosed ? 0 : Math.max(0, size() - position),
  });
  const fdClosed = false;

  const flush = (final: boolean, deadline?: AbortSignal): Promise<Flushed> =>
    new Promise((resolve) => {
      if (ended || abort.signal.aborted || deadline?.aborted) return resolve(flushed());
      const done = () => {
        deadline?.removeEventListener("abort", giveUp);
        resolve(flushed());
      };
      const waiter: Waiter = { final, target: size(), done };
      const giveUp = () => {
        waiters = waiters.filter((other) => other !== waiter);
        done();
      };
      deadline?.addEventListener("abort", giveUp, { once: true });
      waiters.push(waiter);
      bell.ring();
    });

  const stop = () => {
    if (abort.signal.aborted) return;
    size();
    abort.abort();
    bell.ring();
    watcher?.close();
    answerWaiters(true);
  };

  return {
    wake: bell.ring,
    flush,
    withhold: (reason) => {
      withheld ??= { reason, notice: null, told: false };
      bell.ring();
    },
    counters: () => ({ ...count }),
    position: () => position,
    stop,
  };
}

/** Without a watcher (limit of the system reached) the regular look at the file size is all there is. */
function watchFile(path: string, ring: () => unknown): FSWatcher | null {
  try {
    return watch(path, { persistent: false }, ring).on("error", () => {});
  } catch {
    return null;
  }
}
