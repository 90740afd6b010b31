import { describe, expect, test } from "bun:test";
import type { LogLine } from "../../../protocol/operator.ts";
import { createLogBuffer, type LogBuffer } from "./buffer.ts";
import { cellsOf, createLayout } from "./layout.ts";
import { createSight, foldKey, rowOfLine, SEE_ALL, type Sight, type SightWish } from "./sight.ts";

const line = (text: string, step = "", execution = "exe1"): LogLine => ({
  cursor: "1",
  time: "2026-11-21T10:00:00.000Z",
  severity: "info",
  source: "tool",
  execution_id: execution,
  phase: "execute",
  step,
  text,
  partial: false,
});

function seen(sight: Sight): string[] {
  sight.update();
  return Array.from({ length: sight.count }, (_, position) => sight.rowAt(position)?.text ?? "");
}

function twoSteps(): LogBuffer {
  const buffer = createLogBuffer();
  buffer.append(line("begin"));
  buffer.append(line("a1\na2", "a"));
  buffer.append(line("b1", "b"));
  buffer.append(line("end"));
  return buffer;
}

describe("what is seen of a log", () => {
  const wishes: readonly (readonly [string, Partial<SightWish>, readonly string[]])[] = [
    ["all of it", {}, ["execution exe1", "begin", "a", "a1", "a2", "b", "b1", "end"]],
    ["one step with its heading", { step: "a" }, ["a", "a1", "a2"]],
    [
      "folded steps are their heading",
      { folded: new Set(["exe1/a"]) },
      ["execution exe1", "begin", "a", "b", "b1", "end"],
    ],
    ["an execution that printed nothing", { execution: "exe2" }, []],
  ];
  for (const [name, wish, rows] of wishes) {
    test(`${name}`, () => {
      expect(seen(createSight(twoSteps(), { ...SEE_ALL, ...wish }))).toEqual([...rows]);
    });
  }

  test("what is appended and dropped later is taken in", () => {
    const buffer = createLogBuffer({ limit: 4, block: 0 });
    const sight = createSight(buffer, { ...SEE_ALL, step: "a" });
    buffer.append(line("a1", "a"));
    expect(seen(sight)).toEqual(["a", "a1"]);
    buffer.append(line("b1\nb2", "b"));
    buffer.append(line("a2", "a"));
    expect(seen(sight)).toEqual(["a", "a2"]);
    expect(sight.gone).toBe(2);
  });

  test("a line is found by its number although headings have none", () => {
    const { rows } = twoSteps();
    expect([1, 2, 3, 4, 5].map((number) => rowOfLine(rows, number)?.text)).toEqual(["begin", "a1", "a2", "b1", "end"]);
    expect([0, 6].map((number) => rowOfLine(rows, number))).toEqual([undefined, undefined]);
  });

  test("a step that runs in two executions is folded in one of them", () => {
    expect(foldKey({ execution: "exe1", step: "a" })).not.toBe(foldKey({ execution: "exe2", step: "a" }));
  });
});

describe("where rows stand", () => {
  test("a wrapped line takes as many lines as its characters need", () => {
    const buffer = createLogBuffer();
    const sight = createSight(buffer, SEE_ALL);
    const layout = createLayout(sight, 10);
    buffer.append(line(`${"x".repeat(25)}\nshort\n${"y".repeat(10)}`));
    layout.update();
    // The heading `execution exe1` is 14 characters.
    expect([0, 1, 2, 3, 4].map((position) => layout.topOf(position))).toEqual([0, 2, 5, 6, 7]);
    expect(layout.height).toBe(7);
    expect([0, 1, 2, 4, 5, 6, 9].map((top) => layout.positionAt(top))).toEqual([0, 0, 1, 1, 2, 3, 4]);
  });

  test("the last line is measured again when it has grown", () => {
    const buffer = createLogBuffer();
    const sight = createSight(buffer, SEE_ALL);
    const layout = createLayout(sight, 10);
    buffer.append({ ...line("12345"), partial: true });
    layout.update();
    const before = layout.height;
    buffer.append(line("6789012"));
    layout.update();
    expect(layout.height).toBe(before + 1);
  });

  test("tabs, wide and combining characters take the places that a terminal gives them", () => {
    expect([cellsOf("a\tb"), cellsOf("日本"), cellsOf("é"), cellsOf("\x1b[31mred\x1b[0m")]).toEqual([9, 4, 1, 3]);
  });
});
