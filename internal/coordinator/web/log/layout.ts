import { plainText, visibleText } from "../../../protocol/log-text.ts";
import { firstAtLeast, type Sight } from "./sight.ts";

/** Longer lines are cut on the screen (a browser takes seconds to lay out a megabyte); the download has them whole. */
export const SHOWN_CHARACTERS = 8_000;

/** Where each seen row stands, counted in lines of the screen. */
export interface Layout {
  readonly height: number;
  topOf(position: number): number;
  /** The row at a height. */
  positionAt(top: number): number;
  update(): void;
}

/** `columns`: characters to a line when long lines are wrapped; null: every row is one line. */
export function createLayout(sight: Sight, columns: number | null): Layout {
  if (columns === null) {
    return {
      get height() {
        return sight.count;
      },
      topOf: (position) => position,
      positionAt: (top) => Math.min(Math.max(0, Math.floor(top)), Math.max(0, sight.count - 1)),
      update() {},
    };
  }
  /** Top of each row, and behind the last one the height of all. */
  let tops: number[] = [0];
  let gone = sight.gone;
  return {
    get height() {
      return tops.at(-1) ?? 0;
    },
    topOf: (position) => tops[position] ?? 0,
    positionAt: (top) => Math.max(0, firstAtLeast(tops.length, Math.floor(top) + 1, (at) => tops[at] ?? 0) - 1),
    update() {
      if (gone !== sight.gone || sight.count < tops.length - 1) tops = [0];
      // The last row may have grown since it was looked at.
      else if (tops.length > 1) tops.pop();
      gone = sight.gone;
      for (let position = tops.length - 1; position < sight.count; position++) {
        const text = sight.rowAt(position)?.text ?? "";
        tops.push((tops[position] ?? 0) + Math.max(1, Math.ceil(cellsOf(text) / columns)));
      }
    },
  };
}

const ASCII = /^[\x20-\x7e]*$/;
/** Characters that take two places in a fixed-width font: East Asian scripts and most pictures. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const NO_WIDTH = /\p{Mark}/u;
const TAB = 8;

/** Places that a line takes in a fixed-width font. */
export function cellsOf(raw: string): number {
  const text = raw.length > SHOWN_CHARACTERS ? raw.slice(0, SHOWN_CHARACTERS) : raw;
  if (ASCII.test(text)) return text.length;
  let cells = 0;
  for (const character of plainText(visibleText(text))) {
    if (character === "\t") cells += TAB - (cells % TAB);
    else if (WIDE.test(character)) cells += 2;
    else if (!NO_WIDTH.test(character)) cells += 1;
  }
  return cells;
}
