import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** Far more than a line has. */
const TAIL_BYTES = 1 << 20;
/** What the very first line builds on. */
export const FIRST = "0".repeat(64);

export type AuditVerdict =
  /** `before`: the hash the first line builds on (of the file put aside before it; zeros: it is the very first). */
  | { readonly ok: true; readonly lines: number; readonly before: string; readonly last: string }
  | { readonly ok: false; readonly line: number; readonly why: string };

/** Checks the chain of one file. Lines count from 1. */
export function verifyAudit(file: string): AuditVerdict {
  const fd = openSync(file, "r");
  try {
    const text = readAll(fd);
    const lines = text.split("\n");
    if (lines.pop() !== "") return { ok: false, line: lines.length + 1, why: "the line is not whole" };
    let before: string | null = null;
    let last = FIRST;
    for (const [n, line] of lines.entries()) {
      const read = readLine(line);
      if (read === null) return { ok: false, line: n + 1, why: "the line is no record of an audit trail" };
      if (read.hash !== hashOf(read.unsealed)) return { ok: false, line: n + 1, why: "the line was changed" };
      if (before !== null && read.prev !== last)
        return { ok: false, line: n + 1, why: "the line before it was changed, added or taken out" };
      before ??= read.prev;
      last = read.hash;
    }
    return { ok: true, lines: lines.length, before: before ?? FIRST, last };
  } finally {
    closeSync(fd);
  }
}

const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");

/** A record as a line that builds on `prev`. The hash is over the line without itself: everything up to `,"hash":"…"}`. */
export function sealed(record: object, prev: string): { readonly line: string; readonly hash: string } {
  const unsealed = JSON.stringify({ ...record, prev }).slice(0, -1);
  const hash = hashOf(unsealed);
  return { line: `${unsealed},"hash":"${hash}"}\n`, hash };
}

const SEALED = /^(\{.*"prev":"([0-9a-f]{64})"),"hash":"([0-9a-f]{64})"\}$/;

function readLine(line: string): { readonly unsealed: string; readonly prev: string; readonly hash: string } | null {
  const [, unsealed, prev, hash] = SEALED.exec(line) ?? [];
  return unsealed && prev && hash ? { unsealed, prev, hash } : null;
}

/** Where the last whole line of a trail ends, and its hash; null: there is none. */
export function lastLine(fd: number): { readonly size: number; readonly hash: string | null } {
  const { size } = fstatSync(fd);
  const from = Math.max(0, size - TAIL_BYTES);
  const bytes = Buffer.alloc(size - from);
  readSync(fd, bytes, 0, bytes.length, from);
  const end = bytes.lastIndexOf(10);
  if (end < 0) return { size: from === 0 ? 0 : size, hash: null };
  const line = bytes.subarray(bytes.lastIndexOf(10, end - 1) + 1, end).toString("utf8");
  return { size: from + end + 1, hash: readLine(line)?.hash ?? hashOf(line) };
}

function readAll(fd: number): string {
  const bytes = Buffer.alloc(fstatSync(fd).size);
  readSync(fd, bytes, 0, bytes.length, 0);
  return bytes.toString("utf8");
}
