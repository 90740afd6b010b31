import type { Scan } from "../secrets/scan.ts";
import type { OwnLine, Split } from "./records.ts";
import { afterCharacter, wholeCharacters } from "./utf8.ts";

const LF = 10;
const CR = 13;

/** How much of a window may be emitted now, and in which pieces. Positions count tool bytes. */
export interface Cut {
  readonly end: number;
  /** The runner's lines that go out, each with the place it takes between the tool's bytes. */
  readonly own: ReadonlyArray<{ readonly line: OwnLine; readonly at: number }>;
}

export interface CutRules {
  /** Nothing follows the window, ever. */
  readonly final: boolean;
  /** An unfinished last line may go out. */
  readonly partial: boolean;
  /** Bytes before this are decided; a secret may have begun here. */
  readonly held: number;
  /** Whole lines may go out up to here. Not before `held`. */
  readonly lines: number;
}

/**
 * The end is a place from which reading can start again with the same result: behind a line, behind a line of the
 * runner, or (`partial`) between two characters; never inside a match that is still open.
 */
export function cutWindow(split: Split, hits: Scan["hits"], rules: CutRules): Cut {
  const { tool } = split;
  const { final, partial, held } = rules;
  let end = final ? tool.length : lastLine(tool, hits, rules.lines);
  if (partial) end = Math.max(end, lineSafe(tool, held));
  const own: Array<Cut["own"][number]> = [];
  for (const line of split.own) {
    const at = placeOf(line.at, tool, hits, final);
    if (at < 0 || (at > end && at > held)) break;
    own.push({ line, at });
    if (at > end) end = at;
  }
  return { end, own };
}

/** Where a line that is too long for the window is cut. */
export function lineSafe(tool: Uint8Array, decided: number): number {
  const end = wholeCharacters(tool, decided);
  return tool[end - 1] === CR ? end - 1 : end;
}

/** Behind the last line feed before `decided` that is not part of a secret. */
function lastLine(tool: Uint8Array, hits: Scan["hits"], decided: number): number {
  let hit = hits.length - 2;
  let feed = decided > 0 ? tool.lastIndexOf(LF, decided - 1) : -1;
  while (feed >= 0) {
    while (hit >= 0 && (hits[hit] ?? 0) > feed) hit -= 2;
    if (hit < 0 || feed >= (hits[hit + 1] ?? 0)) break;
    const start = hits[hit] ?? 0;
    feed = start > 0 ? tool.lastIndexOf(LF, start - 1) : -1;
  }
  return feed + 1;
}

/** A line of the runner inside a secret or a character goes behind it. -1: that end is not there yet. */
function placeOf(at: number, tool: Uint8Array, hits: Scan["hits"], final: boolean): number {
  for (let hit = 0; hit < hits.length; hit += 2) {
    const start = hits[hit] ?? 0;
    const end = hits[hit + 1] ?? 0;
    if (start >= at) break;
    if (at < end) return end;
  }
  const place = afterCharacter(tool, at);
  return place < 0 && final ? tool.length : place;
}
