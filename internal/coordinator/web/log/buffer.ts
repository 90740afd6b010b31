import { createLineCounter, type LineCounter, writerOf } from "../../../protocol/log-text.ts";
import type { LogLine } from "../../../protocol/operator.ts";
import { PLAIN, parseSgr, type Style } from "./sgr.ts";

/** One row of the log view. Raw text: it is parsed again, from `start`, only when it is on the screen. */
export interface Row {
  /** Position in the whole view, from 0, without gaps; stable while rows are dropped in front. */
  readonly key: number;
  /** Line number, from 1; 0 for a heading of ours. */
  readonly number: number;
  readonly time: string;
  /** `heading`: an execution begins; `step`: a step of it begins. */
  readonly kind: "tool" | "runner" | "heading" | "step";
  readonly severity: string;
  readonly text: string;
  readonly execution: string;
  /** Step that wrote it; empty for what belongs to none. */
  readonly step: string;
  /** Style left over from the line before it, as a terminal would carry it. */
  readonly start: Style;
}

export interface LogBuffer {
  append(line: LogLine): void;
  readonly rows: readonly Row[];
  /** Every heading so far, those of dropped rows too: what can be chosen from. */
  readonly headings: readonly Row[];
  /** Rows dropped from the front because the view keeps `limit` of them: the key of the first row that is left. */
  readonly dropped: number;
  /** Number of the last line; dropped ones count. */
  readonly lines: number;
  /** Number of the first line that is still here; 0 while there is none. */
  readonly firstLine: number;
  clear(): void;
}

export interface BufferOptions {
  readonly limit?: number;
  /** How many rows over the limit are dropped at once: moving the whole array for each line would be slow. */
  readonly block?: number;
  /** Lines of the log in front of the first one. */
  readonly before?: number;
}

/** Rows kept in memory; older ones are read again from the coordinator when somebody goes there. */
const ROW_LIMIT = 120_000;
const BLOCK = 20_000;

/** Turns records (several lines each, the last one perhaps unfinished) into rows. */
export function createLogBuffer({ limit = ROW_LIMIT, block = BLOCK, before = 0 }: BufferOptions = {}): LogBuffer {
  let rows: Row[] = [];
  let headings: Row[] = [];
  let dropped = 0;
  let counter: LineCounter = createLineCounter(before);
  let execution: string | null = null;
  let attempts = 0;
  let step = "";
  let style: Style = PLAIN;

  const put = (row: Omit<Row, "key" | "start">) => {
    const whole = { ...row, key: dropped + rows.length, start: row.kind === "tool" ? style : PLAIN };
    rows.push(whole);
    if (row.number === 0) headings.push(whole);
    if (row.kind === "tool" && row.text.includes("\x1b")) style = parseSgr(row.text, style).end;
  };

  const extend = (text: string) => {
    const last = rows.pop();
    if (!last) return;
    const whole = last.text + text;
    rows.push({ ...last, text: whole });
    if (last.kind === "tool") style = parseSgr(whole, last.start).end;
  };

  const begin = (line: LogLine) => {
    const heading = { number: 0, time: line.time, severity: "info", execution: line.execution_id } as const;
    if (line.execution_id !== execution) {
      execution = line.execution_id;
      attempts++;
      step = "";
      style = PLAIN;
      const text = attempts === 1 ? `execution ${execution}` : `execution ${execution} (${attempts})`;
      put({ ...heading, kind: "heading", text, step: "" });
    }
    if (line.step === "" || line.step === step) return;
    step = line.step;
    style = PLAIN;
    put({ ...heading, kind: "step", text: step, step });
  };

  const clear = () => {
    rows = [];
    headings = [];
    dropped = 0;
    counter = createLineCounter(before);
    execution = null;
    attempts = 0;
    step = "";
    style = PLAIN;
  };

  return {
    append(line) {
      begin(line);
      const kind = writerOf(line);
      const more = { time: line.time, kind, severity: line.severity, execution: line.execution_id, step: line.step };
      for (const { number, text, continues } of counter.take(line)) {
        // Its beginning may have been dropped, or lie in front of a part that was read alone.
        if (continues && rows.at(-1)?.number === number) extend(text);
        else put({ ...more, number, text });
      }
      if (rows.length <= limit + block) return;
      dropped += rows.length - limit;
      rows = rows.slice(-limit);
    },
    get rows() {
      return rows;
    },
    get headings() {
      return headings;
    },
    get dropped() {
      return dropped;
    },
    get lines() {
      return counter.lines;
    },
    get firstLine() {
      return rows.find((row) => row.number > 0)?.number ?? 0;
    },
    clear,
  };
}
