import { fail, ok, type Result } from "../../protocol/errors.ts";
import type { LogLine } from "../../protocol/operator.ts";
import type { LogStreamRow } from "../store/statements.ts";
import type { Store } from "../store/store.ts";
import { createLogFiles, type LogFiles } from "./log-file.ts";
import { type Cursor, linesOf, parseCursor } from "./log-line.ts";

/** One POST of records, already checked to be OTLP. */
export interface LogAppend {
  readonly streamId: string;
  readonly payload: Uint8Array;
  readonly records: number;
  /** Range of the runner's output file; null for a Go runner, which has no offsets: always appended. */
  readonly range: { readonly from: number; readonly to: number } | null;
}

export interface LogStore {
  /** Inside `store.db.group`. Refused with the stored offset when the range does not begin there. */
  append(batch: LogAppend): Result<{ readonly stored: number }, { readonly stored: number }>;
  /** Lines behind `afterCursor` (empty: all) as far as the stream goes now. A cursor that is not ours starts anew. */
  readRecords(
    streamId: string,
    range?: { readonly afterCursor?: string; readonly limit?: number },
  ): AsyncIterable<LogLine>;
  /** The same, and then every new line as it is stored, until the signal is aborted. */
  tail(streamId: string, signal: AbortSignal, range?: { readonly afterCursor?: string }): AsyncIterable<LogLine>;
  /** Resolves when more than `bytes` are stored, or the signal is aborted. */
  grown(streamId: string, bytes: number, signal: AbortSignal): Promise<void>;
  close(): void;
}

export function createLogStore(store: Store, folder: string): LogStore {
  const files = createLogFiles(folder);
  const waiting = new Map<string, Set<() => void>>();
  const update = store.db.prepare<unknown, [number, number, number, number, string]>(
    "UPDATE log_streams SET stored = ?, bytes = ?, records = records + ?, updated_at = ? WHERE id = ?",
  );
  const wake = (streamId: string) => {
    for (const resolve of waiting.get(streamId) ?? []) resolve();
  };
  const row = (streamId: string): LogStreamRow | null => store.sql.logStream.get(streamId);

  const sizeOf = (streamId: string) => row(streamId)?.bytes ?? 0;
  const grown: LogStore["grown"] = (streamId, bytes, signal) =>
    new Promise((resolve) => {
      if (signal.aborted || sizeOf(streamId) > bytes) return resolve();
      const set = waiting.get(streamId) ?? new Set();
      const done = () => {
        set.delete(done);
        if (set.size === 0) waiting.delete(streamId);
        signal.removeEventListener("abort", done);
        resolve();
      };
      set.add(done);
      waiting.set(streamId, set);
      signal.addEventListener("abort", done, { once: true });
    });

  return {
    append: ({ streamId, payload, records, range }) => {
      const stream = row(streamId);
      const stored = stream?.stored ?? 0;
      if (!stream || (range !== null && range.from !== stored)) return fail({ stored });
      const bytes = files.append(streamId, stream.bytes, payload);
      const next = range?.to ?? stored;
      update.run(next, bytes, records, store.clock.now(), streamId);
      store.db.afterCommit(() => wake(streamId));
      return ok({ stored: next });
    },
    readRecords: (streamId, range = {}) =>
      limited(readLines(files, streamId, cursorOf(range.afterCursor), sizeOf(streamId)), range.limit),
    tail: (streamId, signal, range = {}) =>
      tailLines(files, streamId, cursorOf(range.afterCursor), { sizeOf, grown, signal }),
    grown,
    close: files.close,
  };
}

const cursorOf = (text: string | undefined): Cursor => parseCursor(text ?? "") ?? { position: 0, index: 0 };

async function* limited<T>(items: AsyncIterable<T>, limit = Number.POSITIVE_INFINITY): AsyncGenerator<T> {
  let left = limit;
  if (left <= 0) return;
  for await (const item of items) {
    yield item;
    left -= 1;
    if (left <= 0) return;
  }
}

async function* readLines(files: LogFiles, streamId: string, from: Cursor, to: number): AsyncGenerator<LogLine> {
  for await (const batch of files.read(streamId, from.position, to)) {
    yield* linesOf(batch, batch.position === from.position ? from.index : 0);
  }
}

interface Tail {
  readonly sizeOf: (streamId: string) => number;
  readonly grown: LogStore["grown"];
  readonly signal: AbortSignal;
}

async function* tailLines(files: LogFiles, streamId: string, from: Cursor, tail: Tail): AsyncGenerator<LogLine> {
  let cursor = from;
  while (!tail.signal.aborted) {
    const size = tail.sizeOf(streamId);
    for await (const line of readLines(files, streamId, cursor, size)) {
      if (tail.signal.aborted) return;
      yield line;
    }
    // Everything up to `size` was read; a batch never straddles it.
    if (size > cursor.position) cursor = { position: size, index: 0 };
    await tail.grown(streamId, size, tail.signal);
  }
}
