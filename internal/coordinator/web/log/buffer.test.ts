import { describe, expect, test } from "bun:test";
import { visibleText } from "../../../protocol/log-text.ts";
import type { LogLine } from "../../../protocol/operator.ts";
import { createLogBuffer, type LogBuffer } from "./buffer.ts";
import { createSearch, splitAtHits } from "./find.ts";

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
    const buffer = createLogBuffer({ limit: 100, block: 10 });
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
  const found = (buffer: LogBuffer, text: string) => {
    const search = createSearch(buffer, text);
    while (!search.advance(2));
    return search.hits;
  };

  test("finds lines by what they show, whatever the colours and the case", () => {
    const buffer = createLogBuffer();
    buffer.append(line("one\n\x1b[31mEr\x1b[0mror: two\nthree"));
    expect(found(buffer, "error: TWO")).toEqual([2]);
    expect(found(buffer, "absent")).toEqual([]);
    expect(found(buffer, "")).toEqual([]);
  });

  test("goes on where it stopped as the log grows, and looks again at a line that was not finished", () => {
    const buffer = createLogBuffer();
    const search = createSearch(buffer, "end");
    buffer.append(line("the end\nthe e", { partial: true }));
    while (!search.advance(1));
    expect(search.hits).toEqual([1]);
    buffer.append(line("nd of it\nmore"));
    while (!search.advance(1));
    expect(search.hits).toEqual([1, 2]);
    buffer.append(line("end"));
    while (!search.advance(1));
    expect(search.hits).toEqual([1, 2, 4]);
  });

  test("keeps its place when old rows are dropped", () => {
    const buffer = createLogBuffer({ limit: 100, block: 0 });
    const search = createSearch(buffer, "7 ");
    for (let n = 1; n <= 300; n++) {
      buffer.append(line(`row ${n} .`));
      while (!search.advance(50));
    }
    expect(search.hits.length).toBe(30);
    expect(search.hits.slice(-2)).toEqual([287, 297]);
  });

  test("every place in a line is marked", () => {
    expect(splitAtHits("Error or ERROR", "error")).toEqual(["", "Error", " or ", "ERROR", ""]);
    expect(splitAtHits("none", "error")).toEqual(["none"]);
  });
});
