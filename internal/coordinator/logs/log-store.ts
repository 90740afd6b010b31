import { passedBytes } from "../../kit/base/passed-bytes.ts";
import { fail, ok, type Result } from "../../protocol/errors.ts";
import type { LogStreamRow } from "../store/statements.ts";
import type { Store } from "../store/store.ts";
import { createLogFiles, type StoredBatch } from "./log-file.ts";

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
  /** What is stored from `position` (0, or the `next` of a batch) on, until its end as it is now. */
  batches(streamId: string, position: number): AsyncIterable<StoredBatch>;
  /** Resolves when more than `bytes` are stored, or the signal is aborted. */
  grown(streamId: string, bytes: number, signal: AbortSignal): Promise<void>;
  close(): void;
}

export interface OwnedLogStore extends LogStore {
  /** Removes the files of streams whose rows are gone. */
  remove(streamIds: readonly string[]): void;
}

export function createLogStore(store: Store, folder: string): OwnedLogStore {
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
      store.db.afterCommit(() => passedBytes(payload.byteLength));
      const next = range?.to ?? stored;
      update.run(next, bytes, records, store.clock.now(), streamId);
      store.db.afterCommit(() => wake(streamId));
      return ok({ stored: next });
    },
    batches: (streamId, position) => files.read(streamId, position, sizeOf(streamId)),
    grown,
    remove: (streamIds) => streamIds.forEach(files.remove),
    close: files.close,
  };
}
