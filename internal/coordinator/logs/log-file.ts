import { closeSync, fstatSync, ftruncateSync, mkdirSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";

/**
 * Log streams on disk: one append-only file each, batches with a 4 byte big-endian length before them. How much of a
 * file counts is said by the database row, which is written in the group commit: a longer file was cut off by a crash
 * between the two, and the rest is overwritten.
 */
export interface LogFiles {
  /** Writes one batch behind `bytes`, the valid length so far; answers the new one. Throws what the disk throws. */
  append(streamId: string, bytes: number, batch: Uint8Array): number;
  /** Batches from position `from` up to `to`; the payload of one is valid until the next is asked for. */
  read(streamId: string, from: number, to: number): AsyncIterable<StoredBatch>;
  /** Its file, if there is one. */
  remove(streamId: string): void;
  close(): void;
}

export interface StoredBatch {
  readonly position: number;
  readonly next: number;
  readonly payload: Uint8Array;
}

const HEADER = 4;
/** Files held open for writing. */
const MAX_OPEN = 64;
const READ_CHUNK = 1024 * 1024;

export function createLogFiles(folder: string): LogFiles {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const open = new Map<string, number>();
  const path = (streamId: string) => join(folder, `${streamId}.log`);

  const writable = (streamId: string, bytes: number): number => {
    const known = open.get(streamId);
    if (known !== undefined) return known;
    for (const [oldest, fd] of open) {
      if (open.size < MAX_OPEN) break;
      closeSync(fd);
      open.delete(oldest);
    }
    const fd = openSync(path(streamId), "a+", 0o600);
    closeSync(fd);
    const file = openSync(path(streamId), "r+");
    if (fstatSync(file).size > bytes) ftruncateSync(file, bytes);
    open.set(streamId, file);
    return file;
  };

  return {
    append: (streamId, bytes, batch) => {
      const fd = writable(streamId, bytes);
      const header = Buffer.alloc(HEADER);
      header.writeUInt32BE(batch.byteLength);
      writeAll(fd, header, bytes);
      writeAll(fd, batch, bytes + HEADER);
      return bytes + HEADER + batch.byteLength;
    },
    read: (streamId, from, to) => readBatches(path(streamId), from, to),
    remove: (streamId) => {
      const fd = open.get(streamId);
      if (fd !== undefined) closeSync(fd);
      open.delete(streamId);
      rmSync(path(streamId), { force: true });
    },
    close: () => {
      for (const fd of open.values()) closeSync(fd);
      open.clear();
    },
  };
}

/** A write may be short (a full disk): what is left is tried again, so that the error is the disk's own. */
function writeAll(fd: number, bytes: Uint8Array, position: number): void {
  let done = 0;
  while (done < bytes.byteLength) done += writeSync(fd, bytes, done, bytes.byteLength - done, position + done);
}

/**
 * The file is open only while a piece is read, never while a batch is handed out: a reader that is left in the middle
 * (a client that went away) holds nothing. A file handle that only the collector finds would end the whole process.
 */
async function* readBatches(path: string, from: number, to: number): AsyncGenerator<StoredBatch> {
  if (from >= to) return;
  // One buffer for all of it: a log of a GiB would leave as much behind for the collector.
  let window = Buffer.allocUnsafe(Math.min(READ_CHUNK, to - from));
  let position = from;
  while (position < to) {
    const got = readPiece(path, window.subarray(0, to - position), position);
    let next = position;
    for (const batch of splitBatches(got, position)) {
      yield batch;
      next = batch.next;
    }
    if (next === position) {
      const size = got.length < HEADER ? 0 : HEADER + got.readUInt32BE(0);
      // The file is shorter than its row says.
      if (size <= window.length || position + size > to) return;
      window = Buffer.allocUnsafe(size);
    }
    position = next;
  }
}

/** What the file has from `position` on, as far as `into` takes it. */
function readPiece(path: string, into: Buffer, position: number): Buffer {
  const fd = openSync(path, "r");
  try {
    return into.subarray(0, readAt(fd, into, position));
  } finally {
    closeSync(fd);
  }
}

function* splitBatches(window: Buffer, start: number): Generator<StoredBatch> {
  let at = 0;
  while (at + HEADER <= window.length) {
    const end = at + HEADER + window.readUInt32BE(at);
    if (end > window.length) return;
    yield { position: start + at, next: start + end, payload: window.subarray(at + HEADER, end) };
    at = end;
  }
}

function readAt(fd: number, into: Buffer, position: number): number {
  let done = 0;
  while (done < into.length) {
    const n = readSync(fd, into, done, into.length - done, position + done);
    if (n === 0) break;
    done += n;
  }
  return done;
}
