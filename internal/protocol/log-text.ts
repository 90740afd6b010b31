import type { LogLine } from "./operator.ts";

/**
 * How the text of a log becomes numbered lines, and what a line shows. The page and the coordinator share it: a line
 * has the same number in a link, in a search over the whole log and on the screen.
 */

// In order: CSI (its parameters and final letter are captured), OSC/DCS/SOS/PM/APC strings up to their terminator (or
// to the end of the line), other escapes with their intermediates.
export const ESCAPE =
  /(?:\x1b\[|\x9b)([0-?]*)[ -/]*([@-~]?)|(?:\x1b[\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)?|\x1b[ -/]*[0-~]?/g;
// What is left of C0 and C1 (tab stays), and the marks that reorder text to make it read as something else.
export const CONTROL = /[\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g;
const NOTHING_TO_STRIP = /^[\x20-\x7e\t]*$/;

/** The text of a line without any control sequence. */
export function plainText(line: string): string {
  return NOTHING_TO_STRIP.test(line) ? line : line.replace(ESCAPE, "").replace(CONTROL, "");
}

/** What a terminal would show of a line with carriage returns: the last thing written over the others. */
export function visibleText(text: string): string {
  if (!text.includes("\r")) return text;
  const parts = text.replace(/\r+$/, "").split("\r");
  return parts.at(-1) ?? "";
}

/** A piece of a line: the line's number, from 1 over the whole log, and whether it goes on with the piece before. */
export interface LinePiece {
  readonly number: number;
  readonly text: string;
  readonly continues: boolean;
}

/** Who wrote a record: the runner itself, or a program that it ran. */
export const writerOf = (line: LogLine): "runner" | "tool" => (line.source === "runner" ? "runner" : "tool");

export interface LineCounter {
  /** Records in the order of the log. */
  take(line: LogLine): LinePiece[];
  readonly lines: number;
}

/** Numbers lines. A record that ends within a line is continued by the next one of the same writer, step and execution. */
export function createLineCounter(before = 0): LineCounter {
  let lines = before;
  let open = "";
  return {
    take(line) {
      const writer = `${line.execution_id}\n${line.step}\n${writerOf(line)}`;
      const pieces = line.text.split("\n").map((text, index) => {
        const continues = index === 0 && open === writer;
        if (!continues) lines++;
        return { number: lines, text, continues };
      });
      open = line.partial ? writer : "";
      return pieces;
    },
    get lines() {
      return lines;
    },
  };
}
