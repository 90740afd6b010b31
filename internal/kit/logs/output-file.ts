import { randomBytes } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, writeSync } from "node:fs";
import { fail, ok, type Result, RunnerError, reasonOf } from "../../protocol/errors.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { encodeRecord } from "./records.ts";
import type { LogRecord } from "./types.ts";

type Severity = LogRecord["severity"];
type Fields = LogRecord["attributes"];

/** The runner's own end of an execution's output file. Tools get fds of their own from `openForTool`. */
export interface OutputFile {
  readonly path: string;
  /** One line (or text of several) of the runner. Never throws: what a full disk refuses is counted and said later. */
  appendLine(severity: Severity, text: string, fields?: Fields): void;
  /** Text as a tool would write it, redacted when it is read. false: the disk is full and not all of it is there. */
  append(text: string): boolean;
  /** Bytes in the file now: the offset the next write gets. */
  size(): number;
  close(): void;
}

export interface OutputFileOptions {
  /** Kept by the caller with the execution; the same one after a restart. */
  readonly nonce: string;
  /** Applied to the whole text before it is cut and written, so that no secret of ours lies on disk. */
  readonly redact?: (text: string) => string;
  readonly clock?: Clock;
  /** Bytes written of those given; throws what write(2) refuses. */
  readonly write?: (fd: number, bytes: Uint8Array) => number;
}

/** One record stays far below the reader's window. */
const MAX_TEXT = 64 * 1024;

/** Random per execution: output cannot forge lines of the runner. */
export function newNonce(): string {
  return randomBytes(16).toString("hex");
}

/** An fd to append with, for a tool's stdout and stderr; the caller closes its copy after the spawn. Throws what open throws. */
export function openForTool(path: string): number {
  return openSync(path, constants.O_APPEND | constants.O_CREAT | constants.O_WRONLY, 0o600);
}

/** Create the file, or open it again after a restart. */
export function openOutputFile(path: string, options: OutputFileOptions): Result<OutputFile> {
  try {
    return ok(outputFile(path, openForTool(path), options));
  } catch (cause) {
    const remedy = "check that the state directory is writable and has free space";
    return fail(new RunnerError("environment", `cannot open the output file: ${reasonOf(cause)}`, { remedy, cause }));
  }
}

function outputFile(path: string, fd: number, options: OutputFileOptions): OutputFile {
  const { nonce, redact = (text) => text, clock = systemClock, write = writeSync } = options;
  let lost = 0;
  let torn = false;
  let open = true;
  let lastTime = 0n;

  const stamp = () => {
    const now = BigInt(Math.round(clock.now() * 1000)) * 1000n;
    lastTime = now > lastTime ? now : lastTime + 1n;
    return lastTime;
  };

  /** One write, so that lines of tools never cut it. false: not all of it fits. */
  const append = (text: string): boolean => {
    const bytes = Buffer.from(text);
    try {
      const written = write(fd, bytes);
      if (written === bytes.length) return true;
      torn ||= written > 0;
    } catch {
      // ENOSPC and the like: the caller counts the loss.
    }
    return false;
  };

  const appendLine = (severity: Severity, text: string, fields: Fields = {}) => {
    if (!open) return;
    const parts = cut(redact(text)).map((part) => encodeRecord(nonce, stamp(), severity, part, fields));
    const said = lost === 1 ? "a line" : `${lost} lines`;
    const notice = `${said} of the runner could not be written: the disk was full`;
    const before = lost === 0 ? "" : encodeRecord(nonce, stamp(), "warn", notice, { "runner.lost_lines": lost });
    const wasTorn = torn;
    if (append(`${wasTorn ? "\n" : ""}${before}${parts.join("")}`)) {
      lost = 0;
      torn = false;
    } else lost++;
  };

  const close = () => {
    if (open) closeSync(fd);
    open = false;
  };

  return { path, appendLine, append: (text) => open && append(text), size: () => fstatSync(fd).size, close };
}

/** Pieces of at most MAX_TEXT, at line borders where there are any, never inside a character. */
function cut(text: string): string[] {
  const parts: string[] = [];
  let rest = text;
  while (rest.length > MAX_TEXT) {
    const line = rest.lastIndexOf("\n", MAX_TEXT);
    const hard = /[\uD800-\uDBFF]/.test(rest.charAt(MAX_TEXT - 1)) ? MAX_TEXT - 1 : MAX_TEXT;
    parts.push(rest.slice(0, line > 0 ? line : hard));
    rest = rest.slice(line > 0 ? line + 1 : hard);
  }
  return [...parts, rest];
}
