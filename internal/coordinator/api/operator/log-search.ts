import { createLineCounter, type LinePiece, plainText, visibleText } from "../../../protocol/log-text.ts";
import type { LogLine, LogSearch, NumberedLine } from "../../../protocol/operator.ts";
import { LOG_START, type LogDeps, readLog } from "./log-reader.ts";

/** Longest piece of a line in an answer, in characters: the log itself has it whole. */
const EXCERPT = 500;

interface Wanted {
  /** Plain text that a line must show, whatever its colours and case. */
  readonly text: string;
  /** Only lines up to this number; null: the whole log. */
  readonly to: number | null;
  /** Hits in the answer; all are counted. */
  readonly limit: number;
  readonly signal: AbortSignal;
}

/** Lines of a log that show a text. Reads the stored log once, a batch at a time. */
export async function searchLog(deps: LogDeps, id: string, wanted: Wanted): Promise<LogSearch> {
  const needle = wanted.text.toLowerCase();
  const hits: { line: number; time: string; text: string }[] = [];
  let count = 0;
  let lines = 0;
  for await (const line of wholeLines(deps, id, wanted.signal)) {
    if (wanted.to !== null && line.number > wanted.to) break;
    lines = line.number;
    const shown = plainText(visibleText(line.text));
    const at = shown.toLowerCase().indexOf(needle);
    if (at < 0) continue;
    count++;
    if (hits.length < wanted.limit) hits.push({ line: line.number, time: line.time, text: excerpt(shown, at) });
  }
  return { count, lines, hits };
}

/** Lines `from` to `from + count - 1`, as far as they are there. */
export async function linesOf(
  deps: LogDeps,
  id: string,
  part: { readonly from: number; readonly count: number; readonly signal: AbortSignal },
): Promise<NumberedLine[]> {
  const found: NumberedLine[] = [];
  for await (const line of wholeLines(deps, id, part.signal)) {
    if (line.number >= part.from + part.count) break;
    if (line.number >= part.from) found.push(line);
  }
  return found;
}

/** Line by line: pieces of one line are put together, a record of many lines is taken apart. */
async function* wholeLines(deps: LogDeps, id: string, signal: AbortSignal): AsyncGenerator<NumberedLine> {
  const counter = createLineCounter();
  let held: NumberedLine | null = null;
  for await (const page of readLog(deps, id, LOG_START)) {
    if (signal.aborted) return;
    for (const record of page) {
      for (const piece of counter.take(record)) {
        if (held !== null && !piece.continues) yield held;
        held = numbered(record, piece, piece.continues ? held : null);
      }
    }
  }
  if (held !== null) yield held;
}

/** `begun`: what the line has so far; it keeps the time and place of its beginning. */
function numbered(record: LogLine, piece: LinePiece, begun: NumberedLine | null): NumberedLine {
  if (begun !== null) return { ...begun, text: begun.text + piece.text };
  return { ...record, text: piece.text, partial: false, number: piece.number };
}

function excerpt(text: string, at: number): string {
  if (text.length <= EXCERPT) return text;
  const from = Math.max(0, Math.min(at - EXCERPT / 4, text.length - EXCERPT));
  return text.slice(from, from + EXCERPT);
}
