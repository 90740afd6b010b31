import { createWriteStream } from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { crc32, createInflateRaw } from "node:zlib";
import { RunnerError } from "../../protocol/errors.ts";

interface Entry {
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  readonly offset: number;
  /** Unix mode; 0 where the archive has none. */
  readonly mode: number;
}

const END = 0x06054b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
/** The end record and the longest comment that may follow it. */
const TAIL_BYTES = 22 + 65_535;
/** No program is larger; what says so is a bomb. */
const MAX_ENTRY_BYTES = 1_073_741_824;

/**
 * Streams one file out of a zip archive into a new file with the given mode, and checks length and CRC. Only what
 * vendors of tools use: stored and deflated entries, no zip64, no encryption. After a failure nothing of it stays.
 * Throws RunnerError `environment`.
 */
export async function unzipOne(archive: string, name: string, into: string, mode: number): Promise<void> {
  const file = await open(archive);
  let writing = false;
  try {
    const entry = await findEntry(file, name);
    checkEntry(entry, name);
    const header = await read(file, entry.offset, 30);
    if (header.readUInt32LE(0) !== LOCAL) throw damaged("a local header is missing");
    const start = entry.offset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
    const check = checker(entry);
    const source = file.createReadStream({ start, end: start + entry.packed - 1, autoClose: false });
    const target = createWriteStream(into, { flags: "wx", mode });
    target.once("open", () => {
      writing = true;
    });
    if (entry.method === 0) await pipeline(source, check.stream, target);
    else if (entry.method === 8) await pipeline(source, createInflateRaw(), check.stream, target);
    else throw damaged(`compression method ${entry.method} is not supported`);
    check.verify();
  } catch (error) {
    if (writing) await rm(into, { force: true });
    if (error instanceof RunnerError) throw error;
    throw damaged(error instanceof Error ? error.message : String(error));
  } finally {
    await file.close();
  }
}

async function findEntry(file: FileHandle, name: string): Promise<Entry> {
  const { size } = await file.stat();
  const from = Math.max(0, size - TAIL_BYTES);
  const tail = await read(file, from, size - from);
  let end = tail.length - 22;
  while (end >= 0 && tail.readUInt32LE(end) !== END) end--;
  if (end < 0) throw damaged("it is not a zip archive");
  const directory = await read(file, tail.readUInt32LE(end + 16), tail.readUInt32LE(end + 12));
  const found: Entry[] = [];
  for (let at = 0; at + 46 <= directory.length && directory.readUInt32LE(at) === CENTRAL; ) {
    const length = directory.readUInt16LE(at + 28);
    if (directory.toString("utf8", at + 46, at + 46 + length) === name) {
      found.push({
        method: directory.readUInt16LE(at + 10),
        crc: directory.readUInt32LE(at + 16),
        packed: directory.readUInt32LE(at + 20),
        size: directory.readUInt32LE(at + 24),
        offset: directory.readUInt32LE(at + 42),
        // The upper half belongs to the system that made it; 3 is Unix.
        mode: directory[at + 5] === 3 ? directory.readUInt16LE(at + 40) : 0,
      });
    }
    at += 46 + length + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  const [only, second] = found;
  if (only === undefined) throw damaged(`there is no ${name} in it`);
  if (second !== undefined) throw damaged(`${name} is in it twice`);
  return only;
}

const FILE_KIND = 0o170000;
const PLAIN_FILE = 0o100000;

function checkEntry({ mode, size }: Entry, name: string): void {
  const kind = mode & FILE_KIND;
  if (kind !== 0 && kind !== PLAIN_FILE) throw damaged(`${name} is no plain file`);
  if (size > MAX_ENTRY_BYTES) throw damaged(`${name} is larger than ${MAX_ENTRY_BYTES} bytes`);
}

function checker(entry: Entry) {
  let size = 0;
  let sum = 0;
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      sum = crc32(chunk, sum);
      // A bomb ends here and not on a full disk.
      done(size > entry.size ? damaged("an entry is larger than it says") : null, chunk);
    },
  });
  const verify = () => {
    if (size !== entry.size || sum !== entry.crc) throw damaged("the content does not match its checksum");
  };
  return { stream, verify };
}

async function read(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await file.read(bytes, 0, length, position);
  if (bytesRead < length) throw damaged("it ends too early");
  return bytes;
}

function damaged(why: string): RunnerError {
  return new RunnerError("environment", `the archive is damaged: ${why}`);
}
