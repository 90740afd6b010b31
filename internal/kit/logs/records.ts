import type { LogRecord } from "./types.ts";

/** The runner's own lines inside an output file: `\x1e<nonce> <json>\n`, json = `{t, s, m, f}`. */
type Severity = LogRecord["severity"];
type Fields = LogRecord["attributes"];

export function encodeRecord(nonce: string, time: bigint, severity: Severity, text: string, fields: Fields): string {
  return `\x1e${nonce} ${JSON.stringify({ t: String(time), s: severity, m: text, f: fields })}\n`;
}

export function markerOf(nonce: string): Buffer {
  return Buffer.from(`\x1e${nonce} `);
}

/** A line of the runner, and where it stood. */
export interface OwnLine {
  /** Position among the tool's bytes (its own bytes taken out). */
  readonly at: number;
  /** Position behind it in the bytes given. */
  readonly end: number;
  readonly time: bigint | null;
  readonly severity: Severity;
  readonly text: string;
  readonly fields: Fields;
}

export interface Split {
  /** The tool's bytes; the same object when no line of the runner is among them. */
  readonly tool: Uint8Array;
  readonly own: readonly OwnLine[];
  /** Position in the bytes given that the tool's byte `index - 1` ends at. */
  rawEnd(index: number): number;
}

/**
 * Take the runner's lines out. A line that is not complete yet ends the split before it, unless `final`: then, or when
 * it was cut by a full disk, its text is kept as it stands.
 */
export function splitOwnLines(bytes: Buffer, marker: Buffer, final: boolean): Split {
  const pieces: Array<{ readonly at: number; readonly from: number; readonly to: number }> = [];
  const own: OwnLine[] = [];
  let from = 0;
  let at = 0;
  let end = bytes.length;
  const take = (to: number) => {
    if (to > from) pieces.push({ at, from, to });
    at += Math.max(0, to - from);
  };
  for (;;) {
    const start = bytes.indexOf(marker, from);
    if (start < 0) break;
    const line = endOfLine(bytes, marker, start);
    if (line < 0 && !final) {
      end = start;
      break;
    }
    take(start);
    from = line < 0 ? bytes.length : line;
    own.push({ at, end: from, ...parse(bytes.toString("utf8", start + marker.length, from)) });
  }
  if (!final && end === bytes.length) end -= unfinishedMarker(bytes, marker, from);
  take(end);
  if (own.length === 0) return { tool: bytes.subarray(0, end), own, rawEnd: (index) => index };
  const rawEnd = (index: number) => {
    const piece = pieces.findLast((candidate) => candidate.at < index);
    return piece ? piece.from + index - piece.at : 0;
  };
  return { tool: Buffer.concat(pieces.map((piece) => bytes.subarray(piece.from, piece.to))), own, rawEnd };
}

/** A torn line has no end of its own: the next marker ends it. */
function endOfLine(bytes: Buffer, marker: Buffer, start: number): number {
  const feed = bytes.indexOf(10, start);
  const next = bytes.indexOf(marker, start + marker.length);
  if (next >= 0 && (feed < 0 || next < feed)) return next;
  return feed < 0 ? -1 : feed + 1;
}

function unfinishedMarker(bytes: Buffer, marker: Buffer, from: number): number {
  const start = bytes.lastIndexOf(0x1e);
  if (start < from || bytes.length - start >= marker.length) return 0;
  return bytes.subarray(start).equals(marker.subarray(0, bytes.length - start)) ? bytes.length - start : 0;
}

const SEVERITIES: ReadonlySet<unknown> = new Set<Severity>(["debug", "info", "warn", "error"]);

function parse(line: string): Omit<OwnLine, "at" | "end"> {
  try {
    const { t, s, m, f } = JSON.parse(line) as { t: string; s: Severity; m: string; f: Fields };
    if (typeof m === "string" && SEVERITIES.has(s)) return { time: BigInt(t), severity: s, text: m, fields: f ?? {} };
  } catch {
    // Cut by a full disk: shown as it is, below.
  }
  return { time: null, severity: "warn", text: line.replace(/\r?\n$/, ""), fields: { "runner.torn": true } };
}
