import { closeSync, existsSync, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { type ChainVerdict, createChainCheck, FIRST, hashOf, readLine } from "./chain.ts";

/** Files put aside beside the current one: audit.1.jsonl is the newest of them. */
export const KEEP_ASIDE = 8;
/** Far more than a line has. */
const TAIL_BYTES = 1 << 20;
const CHUNK = 1 << 20;

export const auditFile = (stateDir: string): string => join(stateDir, "audit.jsonl");
export const asideFile = (stateDir: string, n: number): string => join(stateDir, `audit.${n}.jsonl`);

/** The files of a trail, oldest first. */
export function trailFiles(stateDir: string): string[] {
  const aside = Array.from({ length: KEEP_ASIDE }, (_, n) => asideFile(stateDir, KEEP_ASIDE - n));
  return [...aside, auditFile(stateDir)].filter((file) => existsSync(file));
}

/** Whole lines of a file; the last one may lack its end, then `whole` is false. */
export function* linesOf(file: string): Generator<{ readonly text: string; readonly whole: boolean }> {
  const fd = openSync(file, "r");
  try {
    const { size } = fstatSync(fd);
    let rest = Buffer.alloc(0);
    for (let at = 0; at < size; ) {
      const chunk = Buffer.alloc(Math.min(CHUNK, size - at));
      const got = readSync(fd, chunk, 0, chunk.length, at);
      if (got === 0) break;
      at += got;
      let bytes = Buffer.concat([rest, chunk.subarray(0, got)]);
      for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10)) {
        yield { text: bytes.subarray(0, end).toString("utf8"), whole: true };
        bytes = bytes.subarray(end + 1);
      }
      rest = bytes;
    }
    if (rest.length > 0) yield { text: rest.toString("utf8"), whole: false };
  } finally {
    closeSync(fd);
  }
}

export interface TrailOptions {
  /** What the first line must build on; null: whatever it says. */
  readonly after?: string | null;
  readonly seen?: (hash: string) => void;
}

/** Checks the chain of one file. */
export function verifyAudit(file: string, { after = null, seen }: TrailOptions = {}): ChainVerdict {
  const check = createChainCheck(after);
  let lines = 0;
  for (const { text, whole } of linesOf(file)) {
    lines += 1;
    if (!whole) return { ok: false, line: lines, why: "the line is not whole" };
    if (!check.add(text)) break;
    const hash = readLine(text)?.hash;
    if (hash) seen?.(hash);
  }
  return check.verdict();
}

export type TrailVerdict =
  | { readonly ok: true; readonly files: number; readonly lines: number; readonly last: string }
  | { readonly ok: false; readonly file: string; readonly line: number; readonly why: string };

/**
 * Checks a trail over all of its files, oldest first. The oldest may build on a line that is gone only where as many
 * files are kept as are ever kept. `expect`: a hash that must be in it.
 */
export function verifyTrail(files: readonly string[], expect: string | null = null, keep = KEEP_ASIDE): TrailVerdict {
  const [oldest = ""] = files;
  let after: string | null = files.length > keep ? null : FIRST;
  let lines = 0;
  let found = expect === null || expect === FIRST;
  for (const file of files) {
    const seen = (hash: string) => {
      found ||= hash === expect;
    };
    const verdict = verifyAudit(file, { after, seen });
    if (!verdict.ok) return { ok: false, file, line: verdict.line, why: verdict.why };
    lines += verdict.lines;
    after = verdict.last;
  }
  if (!found) {
    const why = "the expected hash is not in the trail: lines were cut off, or all of it was written anew";
    return { ok: false, file: files.at(-1) ?? oldest, line: lines, why };
  }
  return { ok: true, files: files.length, lines, last: after ?? FIRST };
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
