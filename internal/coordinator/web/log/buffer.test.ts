import { describe, expect, test } from "bun:test";
import type { LogLine } from "../../../protocol/operator.ts";
import { createLogBuffer, visibleText } from "./buffer.ts";
import { findRows } from "./find.ts";

const line = (text: string, more: Partial<LogLine> = {}): LogLine => ({
  cursor: "1",
  time: "2026-11-21T10:00:00.000Z",
  severity: "info",
  source: "tool",
  execution_id: "runexec1",
  phase: "execute",
  step: "",
  text,
  partial: false,
  ...more,
});

const texts = (buffer: ReturnType<typeof createLogBuffer>) =>
  buffer.rows.filter((row) => row.kind !== "heading").map((row) => row.text);

describe("rows of the log", () => {
  test("a record of many lines becomes as many rows, numbered from 1", () => {
    const buffer = createLogBuffer();
    buffer.append(line("a\nb\n\nc"));
    expect(texts(buffer)).toEqual(["a", "b", "", "c"]);
    expect(buffer.rows.map((row) => row.number)).toEqual([0, 1, 2, 3, 4]);
    expect(buffer.lines).toBe(4);
  });

  test("a line that comes in pieces is one row in the end", () => {
    const buffer = createLogBuffer();
    buffer.append(line("first\n50", { partial: true }));
    expect(texts(buffer)).toEqual(["first", "50"]);
    buffer.append(line("%", { partial: true }));
    buffer.append(line(" done\nnext"));
    expect(texts(buffer)).toEqual(["first", "50% done", "next"]);
  });

  test("a line of the runner between two pieces stays a row of its own", () => {
    const buffer = createLogBuffer();
    buffer.append(line("wait", { partial: true }));
    buffer.append(line("note", { source: "runner" }));
    buffer.append(line("ing"));
    expect(texts(buffer)).toEqual(["wait", "note", "ing"]);
  });

  test("each execution begins under a heading and without the colours of the one before", () => {
    const buffer = createLogBuffer();
    buffer.append(line("\x1b[31mred\nstill red"));
    buffer.append(line("fresh", { execution_id: "runexec2" }));
    expect(buffer.rows.map((row) => row.kind)).toEqual(["heading", "tool", "tool", "heading", "tool"]);
    expect(buffer.rows[2]?.start.fg).toBe("1");
    expect(buffer.rows[4]?.start.fg).toBe(null);
  });

  test("an escape sequence cut between two pieces is read as one", () => {
    const buffer = createLogBuffer();
    buffer.append(line("x\x1b[3", { partial: true }));
    buffer.append(line("1mred\nred too"));
    expect(buffer.rows[2]?.start.fg).toBe("1");
  });

  test("the oldest rows go when the limit is passed, and are counted", () => {
    const buffer = createLogBuffer(100);
    buffer.append(line(Array.from({ length: 20_000 }, (_, i) => `line ${i}`).join("\n")));
    expect(buffer.rows.length).toBe(100);
    expect(buffer.rows.at(-1)?.text).toBe("line 19999");
    expect(buffer.dropped).toBe(19_901);
    expect(buffer.lines).toBe(20_000);
  });

  test("progress that overwrites itself shows its last state", () => {
    expect(visibleText("10%\r55%\r100%")).toBe("100%");
    expect(visibleText("windows line\r")).toBe("windows line");
  });
});

describe("find in the log", () => {
  test("finds rows by what they show, whatever the colours and the case", () => {
    const buffer = createLogBuffer();
    buffer.append(line("one\n\x1b[31mEr\x1b[0mror: two\nthree"));
    expect(findRows(buffer.rows, "error: TWO")).toEqual([2]);
    expect(findRows(buffer.rows, "absent")).toEqual([]);
    expect(findRows(buffer.rows, "")).toEqual([]);
  });
});
