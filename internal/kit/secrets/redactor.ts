import { patternsOf } from "./forms.ts";
import { createIndex, type Index, type Scan } from "./scan.ts";

/** What stands in the place of a secret. */
export const REDACTED = "[redacted]";
const MARK = new TextEncoder().encode(REDACTED);

/** Shorter values are not masked: they would hit ordinary text. */
const MIN_LENGTH = 4;
/** A line of a multi-line value is masked on its own from this length on; a line with one brace is not. */
const MIN_LINE = 8;
/** Longer values are masked in pieces of this many characters, which bounds how much output one match can hold back. */
const PIECE = 16_384;

export interface Redactor {
  /** Add secrets at any time; later scans know them. Answers how many values were too short to be masked. */
  register(...values: readonly (string | null | undefined)[]): { readonly tooShort: number };
  /** false: nothing is registered, bytes pass untouched. */
  readonly active: boolean;
  /**
   * Ranges to mask in `bytes`, and how far they are decided. `final`: nothing follows. It keeps nothing between calls:
   * a caller that streams gives the bytes from `held` on again, with more behind them. One that goes on from `calm`
   * says `resumed`: then the rest of wrapped base64 is known by itself.
   */
  scan(bytes: Uint8Array, final: boolean, resumed?: boolean): Scan;
  /** A whole text: errors, titles, fields. */
  redactText(text: string): string;
  /** A whole buffer; the same object when there was nothing to mask. */
  redactBytes(bytes: Uint8Array): Uint8Array;
}

export function createRedactor(): Redactor {
  const known = new Set<string>();
  /** Not in the index yet: a job that says nothing never pays for one. */
  let pending: string[] = [];
  let index: Index | null = null;

  const add = (value: string) => {
    if (known.has(value)) return;
    known.add(value);
    pending.push(value);
  };

  const upToDate = (): Index => {
    const built = index ?? createIndex();
    index = built;
    for (const value of pending) {
      for (const piece of pieces(value)) for (const pattern of patternsOf(piece)) built.add(pattern);
    }
    pending = [];
    return built;
  };

  const register = (...values: readonly (string | null | undefined)[]) => {
    let tooShort = 0;
    for (const given of values) {
      const value = (given ?? "").replace(/^[\r\n]+|[\r\n]+$/g, "");
      if (value.length >= MIN_LENGTH) add(value);
      else if (value.length > 0) tooShort++;
      const lines = value.split(/\r?\n/);
      if (lines.length > 1) for (const line of lines) if (line.trim().length >= MIN_LINE) add(line.trim());
    }
    return { tooShort };
  };

  const scan = (bytes: Uint8Array, final: boolean, resumed = false): Scan =>
    known.size > 0
      ? upToDate().scan(bytes, final, resumed)
      : { hits: [], held: bytes.length, calm: bytes.length, open: bytes.length };

  const redactBytes = (bytes: Uint8Array) => {
    const { hits } = scan(bytes, true);
    return hits.length === 0 ? bytes : mask(bytes, hits, 0, bytes.length);
  };

  const redactText = (text: string) => {
    if (known.size === 0 || text === "") return text;
    const bytes = new TextEncoder().encode(text);
    const masked = redactBytes(bytes);
    return masked === bytes ? text : new TextDecoder("utf-8", { ignoreBOM: true }).decode(masked);
  };

  return {
    register,
    scan,
    redactBytes,
    redactText,
    get active() {
      return known.size > 0;
    },
  };
}

/** Bytes `from`..`to` with every range inside them replaced by the marker. Ranges that cross a border are left alone. */
export function mask(bytes: Uint8Array, hits: readonly number[], from: number, to: number): Uint8Array {
  const parts: Uint8Array[] = [];
  let at = from;
  for (let hit = 0; hit < hits.length; hit += 2) {
    const start = hits[hit] ?? 0;
    const end = hits[hit + 1] ?? 0;
    if (start < from) continue;
    if (end > to) break;
    parts.push(bytes.subarray(at, start), MARK);
    at = end;
  }
  if (parts.length === 0) return bytes.subarray(from, to);
  parts.push(bytes.subarray(at, to));
  return Buffer.concat(parts);
}

function pieces(value: string): string[] {
  if (value.length <= PIECE) return [value];
  const list: string[] = [];
  const chars = [...value];
  for (let at = 0; at < chars.length; at += PIECE) list.push(chars.slice(at, at + PIECE).join(""));
  return list;
}
