import { plainText, visibleText } from "../../../protocol/log-text.ts";
import type { LogBuffer, Row } from "./buffer.ts";

/** A search that goes on as the log grows: each row is looked at once. */
export interface Search {
  /** Numbers of the lines that show the text, in order. */
  readonly hits: readonly number[];
  /** Looks at up to `most` rows more; true when there are none left. */
  advance(most: number): boolean;
}

export function shows(row: Row, needle: string): boolean {
  return row.number > 0 && plainText(visibleText(row.text)).toLowerCase().includes(needle);
}

/** Lines of the buffer that show `wanted`, upper and lower case alike. */
export function createSearch(buffer: LogBuffer, wanted: string): Search {
  const needle = wanted.toLowerCase();
  const hits: number[] = [];
  let next = 0;
  return {
    hits,
    advance(most) {
      if (needle === "") return true;
      const end = buffer.dropped + buffer.rows.length;
      const look = (key: number) => {
        const row = buffer.rows[key - buffer.dropped];
        if (row && hits.at(-1) !== row.number && shows(row, needle)) hits.push(row.number);
      };
      // The last row of the time before may have grown since.
      look(next - 1);
      const from = Math.max(buffer.dropped, next);
      const to = Math.min(end, from + most);
      for (let key = from; key < to; key++) look(key);
      next = to;
      return to === end;
    },
  };
}

/** Text cut at the places that show `needle` (lower case); every second piece is such a place. */
export function splitAtHits(text: string, needle: string): readonly string[] {
  if (needle === "") return [text];
  const lower = text.toLowerCase();
  // A letter whose lower case is longer would move the places: then nothing is marked.
  if (lower.length !== text.length) return [text];
  const pieces: string[] = [];
  let from = 0;
  for (let at = lower.indexOf(needle); at >= 0; at = lower.indexOf(needle, from)) {
    pieces.push(text.slice(from, at), text.slice(at, at + needle.length));
    from = at + needle.length;
  }
  pieces.push(text.slice(from));
  return pieces;
}
