import { closeSync, existsSync, openSync, readFileSync, readSync, writeFileSync } from "node:fs";
import { prepareHoles, punchHole } from "../../../kit/logs/punch-hole.ts";
import type { JobLog } from "../../handler.ts";

/** How often the file is looked at, milliseconds. */
const LOOK_MS = 200;
/** Read at once; a line longer than this is cut. */
const CHUNK_BYTES = 64 * 1024;

/**
 * Puts the lines of a growing file into the job's log, marked as stderr, until `stop`. What was taken is remembered
 * beside the file, so that a restart of the runner goes on from there, and freed on disk.
 */
export function followErrors(file: string, log: JobLog): { stop(): void } {
  const mark = `${file}.at`;
  let at = existsSync(mark) ? Number(readFileSync(mark, "utf8")) || 0 : 0;
  if (!existsSync(file)) writeFileSync(file, "", { mode: 0o600 });
  const fd = openSync(file, "r+");
  const buffer = Buffer.alloc(CHUNK_BYTES);
  void prepareHoles();

  const take = (last: boolean): boolean => {
    const got = readSync(fd, buffer, 0, buffer.length, at);
    const newline = buffer.subarray(0, got).lastIndexOf(10) + 1;
    const length = newline > 0 ? newline : last || got === buffer.length ? wholeCharacters(buffer, got) : 0;
    if (length === 0) return false;
    log.info(buffer.toString("utf8", 0, length).replace(/\r?\n$/, ""), STDERR);
    at += length;
    try {
      writeFileSync(mark, String(at), { mode: 0o600 });
    } catch {
      // A full disk: after a crash the lines since the last mark would come twice.
    }
    punchHole(fd, 0, at);
    return true;
  };
  const drain = (last: boolean) => {
    while (take(last)) {
      // until nothing whole is left
    }
  };
  const timer = setInterval(() => drain(false), LOOK_MS);
  return {
    stop() {
      clearInterval(timer);
      drain(true);
      closeSync(fd);
    },
  };
}

/** Attribute of lines that came from the container's stderr, by the names of OpenTelemetry. */
const STDERR = { "log.iostream": "stderr" };

/** Bytes up to the end of the last whole character. */
function wholeCharacters(bytes: Buffer, length: number): number {
  for (let back = 1; back <= Math.min(4, length); back++) {
    const byte = bytes[length - back] ?? 0;
    if (byte < 0x80) return length;
    if (byte >= 0xc0)
      return back >= (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) || back === length ? length : length - back;
  }
  return length;
}
