import type { LogLine } from "../../../protocol/operator.ts";
import { PLAIN, parseSgr, type Style } from "./sgr.ts";

/** One row of the log view. Raw text: it is parsed again, from `start`, only when it is on the screen. */
export interface Row {
  /** Unique in the view and stable while rows are dropped. */
  readonly key: number;
  /** Line number, from 1; 0 for a heading of ours. */
  readonly number: number;
  readonly time: string;
  readonly kind: "tool" | "runner" | "heading";
  readonly severity: string;
  readonly text: string;
  /** Style left over from the line before it, as a terminal would carry it. */
  readonly start: Style;
}

export interface LogBuffer {
  append(line: LogLine): void;
  readonly rows: readonly Row[];
  /** Rows dropped from the front because the view keeps `limit` of them. */
  readonly dropped: number;
  /** Lines received so far, dropped ones included. */
  readonly lines: number;
  clear(): void;
}

/** Rows kept in memory; the whole log stays one download away. */
const ROW_LIMIT = 200_000;
/** Dropped in blocks, so that a long log does not move the whole array for each line. */
const BLOCK = 10_000;

/** Turns records (several lines each, the last one perhaps unfinished) into rows. */
export function createLogBuffer(limit: number = ROW_LIMIT): LogBuffer {
  let rows: Row[] = [];
  let dropped = 0;
  let key = 0;
  let lines = 0;
  let execution: string | null = null;
  let attempts = 0;
  let style: Style = PLAIN;
  /** The last row continues with the next record of the same source. */
  let open = false;

  const put = (row: Omit<Row, "key" | "number" | "start">) => {
    const number = row.kind === "heading" ? 0 : ++lines;
    rows.push({ ...row, key: key++, number, start: row.kind === "tool" ? style : PLAIN });
    if (row.kind === "tool" && row.text.includes("\x1b")) style = parseSgr(row.text, style).end;
  };

  const extend = (text: string) => {
    const last = rows.pop();
    if (!last) return;
    const whole = last.text + text;
    rows.push({ ...last, text: whole });
    style = parseSgr(whole, last.start).end;
  };

  const heading = (line: LogLine) => {
    if (line.execution_id === execution) return;
    execution = line.execution_id;
    attempts++;
    style = PLAIN;
    open = false;
    const text = attempts === 1 ? `execution ${line.execution_id}` : `execution ${line.execution_id} (${attempts})`;
    put({ time: line.time, kind: "heading", severity: "info", text });
  };

  return {
    append(line) {
      heading(line);
      const kind = line.source === "runner" ? "runner" : "tool";
      const texts = line.text.split("\n");
      const row = (text: string) => ({ time: line.time, kind, severity: line.severity, text }) as const;
      const continues = open && rows.at(-1)?.kind === kind;
      texts.forEach((text, index) => {
        if (index === 0 && continues) extend(text);
        else put(row(text));
      });
      open = line.partial;
      if (rows.length > limit + BLOCK) {
        dropped += rows.length - limit;
        rows = rows.slice(-limit);
      }
    },
    get rows() {
      return rows;
    },
    get dropped() {
      return dropped;
    },
    get lines() {
      return lines;
    },
    clear() {
      rows = [];
      dropped = 0;
      key = 0;
      lines = 0;
      execution = null;
      attempts = 0;
      style = PLAIN;
      open = false;
    },
  };
}

/** What a terminal would show of a line with carriage returns: the last thing written over the others. */
export function visibleText(text: string): string {
  if (!text.includes("\r")) return text;
  const parts = text.replace(/\r+$/, "").split("\r");
  return parts.at(-1) ?? "";
}
