import { createHash } from "node:crypto";

/** What the very first line builds on. */
export const FIRST = "0".repeat(64);

export type ChainVerdict =
  /** `before`: the hash the first line builds on (of the file put aside before it; zeros: it is the very first). */
  | { readonly ok: true; readonly lines: number; readonly before: string; readonly last: string }
  /** Lines count from 1. */
  | { readonly ok: false; readonly line: number; readonly why: string };

export interface ChainCheck {
  /** One line without its end; false: the chain is broken, no further line counts. */
  add(line: string): boolean;
  verdict(): ChainVerdict;
}

/** Checks lines as they come. `after`: what the first one must build on; null: whatever it says. */
export function createChainCheck(after: string | null = null): ChainCheck {
  let before = after;
  let last = after ?? FIRST;
  let lines = 0;
  let broken: ChainVerdict | null = null;
  const faultOf = (line: string): string | null => {
    const read = readLine(line);
    if (read === null) return "the line is no record of an audit trail";
    if (read.hash !== hashOf(read.unsealed)) return "the line was changed";
    if (before !== null && read.prev !== last)
      return lines === 0 ? "the lines before it are missing" : "the line before it was changed, added or taken out";
    before ??= read.prev;
    last = read.hash;
    return null;
  };
  return {
    add(line) {
      if (broken) return false;
      const why = faultOf(line);
      if (why === null) lines += 1;
      else broken = { ok: false, line: lines + 1, why };
      return why === null;
    },
    verdict: () => broken ?? { ok: true, lines, before: before ?? FIRST, last },
  };
}

export const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");

/** A record as a line that builds on `prev`. The hash is over the line without itself: everything up to `,"hash":"…"}`. */
export function sealed(record: object, prev: string): { readonly line: string; readonly hash: string } {
  const unsealed = JSON.stringify({ ...record, prev }).slice(0, -1);
  const hash = hashOf(unsealed);
  return { line: `${unsealed},"hash":"${hash}"}\n`, hash };
}

const SEALED = /^(\{.*"prev":"([0-9a-f]{64})"),"hash":"([0-9a-f]{64})"\}$/;

interface SealedLine {
  readonly unsealed: string;
  readonly prev: string;
  readonly hash: string;
}

/** null: no record of a trail. */
export function readLine(line: string): SealedLine | null {
  const [, unsealed, prev, hash] = SEALED.exec(line) ?? [];
  return unsealed && prev && hash ? { unsealed, prev, hash } : null;
}
