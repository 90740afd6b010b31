import { readSync } from "node:fs";
import { type Clock, systemClock } from "../base/clock.ts";
import { mask, type Redactor } from "../secrets/redactor.ts";
import type { Scan } from "../secrets/scan.ts";
import { type Cut, cutWindow, lineSafe } from "./frame.ts";
import { markerOf, type OwnLine, type Split, splitOwnLines } from "./records.ts";
import { toolTexts } from "./texts.ts";
import type { LogBatch, LogRecord } from "./types.ts";

type Attributes = LogRecord["attributes"];

export interface ReaderOptions {
  /** Open for reading; stays the caller's. */
  readonly fd: number;
  /** The nonce of the execution's own lines. */
  readonly nonce: string;
  readonly redactor: Redactor;
  /** Lines of a tool that share one record; 1 for servers that show a record as a line. Default: as many as fit. */
  readonly maxLinesPerRecord?: number | undefined;
  /** Bytes read at once, longest line, and most text of a batch. Default 1 MiB. */
  readonly windowBytes?: number | undefined;
  /** Attributes of what stands at this place of the file (lifecycle step, step of the work). */
  readonly attributesAt?: ((offset: number) => Attributes) | undefined;
  readonly clock?: Clock;
}

export interface ReadWish {
  /** Read up to here: the file's size, or the start of a range that is gone. */
  readonly end: number;
  /** Nothing follows `end`: emit everything. */
  readonly closed: boolean;
  /** What follows `end` is gone: what may be the first part of a secret is masked. */
  readonly torn: boolean;
  /** An unfinished last line has waited long enough. */
  readonly partial: boolean;
  /** Nothing was written for a moment: do not keep complete lines back for the faintest of matches. */
  readonly calm: boolean;
}

export interface LogReader {
  /**
   * The batch that starts at `position`; null when nothing of it can be emitted yet. It depends on the file alone, so
   * going on from a batch's `to` and starting anew there are the same thing.
   */
  read(position: number, wish: ReadWish): LogBatch | null;
  /**
   * Where reading may start again at or behind `at` when what lies before is gone: behind a line feed, so that it does
   * not start inside a secret. Without one near by, what may be the rest of a line is given up as well.
   */
  nextLine(at: number, size: number): number;
}

export const WINDOW_BYTES = 1 << 20;
const MIN_WINDOW = 64 * 1024;
/** Reading is synchronous and all text is copied out, so one buffer serves every execution of the process. */
let scratch: Buffer | undefined;

export function createLogReader(options: ReaderOptions): LogReader {
  const { fd, redactor, windowBytes = WINDOW_BYTES, clock = systemClock } = options;
  const marker = markerOf(options.nonce);
  const maxLines = options.maxLinesPerRecord ?? Number.POSITIVE_INFINITY;
  let lastTime = 0n;

  const fill = (position: number, length: number): Buffer => {
    if (windowBytes > WINDOW_BYTES) return readFully(fd, Buffer.allocUnsafe(length), position);
    scratch ??= Buffer.allocUnsafe(WINDOW_BYTES);
    return readFully(fd, scratch.subarray(0, length), position);
  };

  const redactFields = (fields: Attributes): Attributes =>
    Object.fromEntries(
      Object.entries(fields).map(([key, value]) => [
        key,
        typeof value === "string" ? redactor.redactText(value) : value,
      ]),
    );

  const ownRecord = (line: OwnLine, position: number, now: bigint): LogRecord => ({
    time: line.time ?? now,
    severity: line.severity,
    text: redactor.redactText(line.text),
    source: "runner",
    partial: false,
    attributes: { ...options.attributesAt?.(position), ...redactFields(line.fields) },
  });

  /** Records of everything before the cut, in order. */
  const recordsOf = (split: Split, hits: Scan["hits"], cut: Cut, position: number): LogRecord[] => {
    const now = BigInt(Math.round(clock.now() * 1000)) * 1000n;
    const records: LogRecord[] = [];
    let at = 0;
    const placeAt = (index: number) => options.attributesAt?.(position + split.rawEnd(index + 1) - 1) ?? {};
    const tool = (to: number) => {
      while (at < to) {
        const attributes = placeAt(at);
        const end = samePlace(attributes, placeAt(to - 1)) ? to : endOfPlace(hits, at, to, placeAt);
        for (const { text, partial } of toolTexts(mask(split.tool, hits, at, end), maxLines)) {
          records.push({ time: now, severity: "info", text, source: "tool", partial, attributes });
        }
        at = end;
      }
    };
    for (const { line, at: place } of cut.own) {
      tool(place);
      records.push(ownRecord(line, position + line.end - 1, now));
    }
    tool(cut.end);
    return records;
  };

  const readWindow = (position: number, wish: ReadWish, window: number, stuck = false): LogBatch | null => {
    const bytes = fill(position, Math.min(window, wish.end - position));
    if (bytes.length === 0) return null;
    const atEnd = position + bytes.length >= wish.end;
    const full = bytes.length === window;
    const final = wish.closed && atEnd;
    const split = splitOwnLines(bytes, marker, final || stuck);
    const scan = redactor.scan(split.tool, final && !wish.torn, position > 0);
    const torn = final && scan.calm < split.tool.length;
    let hits = torn ? [...scan.hits, scan.calm, split.tool.length] : scan.hits;
    const held = final ? split.tool.length : scan.held;
    const lines = wish.calm ? Math.max(held, scan.calm) : held;
    let cut = cutWindow(split, hits, { final, partial: wish.partial && atEnd, held, lines });
    if (cut.end === 0 && cut.own.length === 0 && full && !final) {
      // A line longer than the window; or, in theory only, a chain of secrets or a torn line of our own as long as it.
      hits = held > 0 ? hits : [0, scan.open];
      cut = { end: held > 0 ? lineSafe(split.tool, held) : scan.open, own: [] };
    }
    const to = position + Math.max(split.rawEnd(cut.end), cut.own.at(-1)?.line.end ?? 0);
    // Only a line of ours that lost its end can leave nothing to emit of a full window.
    if (to === position) return full && !stuck ? readWindow(position, wish, window, true) : null;
    const records = recordsOf(split, hits, cut, position);
    return { from: position, to, records };
  };

  const read = (position: number, wish: ReadWish): LogBatch | null => {
    let window = windowBytes;
    let batch = readWindow(position, wish, window);
    // Markers and replacement characters can be longer than what they stand for.
    while (batch && window > MIN_WINDOW && textBytes(batch) > windowBytes) {
      window = Math.max(MIN_WINDOW, window >> 1);
      batch = readWindow(position, wish, window);
    }
    if (!batch) return null;
    const records = inOrder(batch.records, lastTime);
    lastTime = records.at(-1)?.time ?? lastTime;
    return { ...batch, records };
  };

  const nextLine = (at: number, size: number): number => {
    const bytes = readFully(fd, Buffer.allocUnsafe(Math.max(0, Math.min(MIN_WINDOW, size - at))), at);
    const feed = bytes.indexOf(10);
    if (feed >= 0) return at + feed + 1;
    return redactor.active ? at + bytes.length : at;
  };

  return { read, nextLine };
}

function readFully(fd: number, into: Buffer, position: number): Buffer {
  let have = 0;
  while (have < into.length) {
    const got = readSync(fd, into, have, into.length - have, position + have);
    if (got === 0) break;
    have += got;
  }
  return into.subarray(0, have);
}

function textBytes(batch: LogBatch): number {
  return batch.records.reduce((sum, record) => sum + Buffer.byteLength(record.text), 0);
}

/** Peers sort by time: output read late is never stamped behind a line of ours that follows it, nor two alike. */
function inOrder(records: readonly LogRecord[], last: bigint): LogRecord[] {
  const times = records.map((record) => record.time);
  for (let i = times.length - 2; i >= 0; i--) {
    const next = times[i + 1] ?? 0n;
    if ((times[i] ?? 0n) >= next) times[i] = next - 1n;
  }
  let floor = last;
  return records.map((record, i) => {
    const wanted = times[i] ?? record.time;
    floor = wanted > floor ? wanted : floor + 1n;
    return { ...record, time: floor };
  });
}

function samePlace(a: Attributes, b: Attributes): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}

/**
 * Where the place of `at` ends before `to`, which belongs to another one: a step that ends within a window shares no
 * record with the next. Places only ever follow each other. A secret that reaches over the end stays in one piece.
 */
function endOfPlace(hits: Scan["hits"], at: number, to: number, placeAt: (index: number) => Attributes): number {
  const place = placeAt(at);
  let low = at + 1;
  let high = to - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (samePlace(place, placeAt(middle))) low = middle + 1;
    else high = middle;
  }
  // What one tool left of its last line is no line of the next tool's: the end of a place is the end of a record.
  for (let i = 0; i + 1 < hits.length; i += 2) {
    const [from = 0, end = 0] = [hits[i], hits[i + 1]];
    if (from < low && end > low) return Math.min(end, to);
  }
  return low;
}
