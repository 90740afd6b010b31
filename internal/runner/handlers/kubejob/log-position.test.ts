import { describe, expect, test } from "bun:test";
import { advance, newLines, type Position, stampedLine } from "./log-position.ts";

/** Reads a log from a position on, as the cluster gives it again: whole seconds, so that old lines come first. */
function readFrom(from: Position | null, log: readonly string[]): { texts: string[]; at: Position | null } {
  const isNew = newLines(from);
  let at = from;
  const texts: string[] = [];
  for (const line of log) {
    const stamped = stampedLine(line);
    if (stamped === null || !isNew(stamped)) continue;
    at = advance(at, stamped);
    texts.push(stamped.text);
  }
  return { texts, at };
}

describe("the place in a pod's log", () => {
  const log = [
    "2026-11-21T19:00:00.1Z a",
    "2026-11-21T19:00:00.10000001Z b",
    "2026-11-21T19:00:00.10000001Z b",
    "2026-11-21T19:00:00.2Z ",
    "2026-11-21T19:00:01Z c d",
  ];
  test("brings every line once wherever reading was cut, equal times and texts too", () => {
    const whole = ["a", "b", "b", "", "c d"];
    for (let cut = 0; cut <= log.length; cut++) {
      const first = readFrom(null, log.slice(0, cut));
      expect([...first.texts, ...readFrom(first.at, log).texts]).toEqual(whole);
    }
  });
  test("orders times whose fractions are written shorter", () => {
    const times = ["2026-11-21T19:00:00Z", "2026-11-21T19:00:00.05Z", "2026-11-21T19:00:00.100000001Z"];
    const stamped = times.map((time) => stampedLine(`${time} x`)?.at ?? "");
    expect([...stamped].sort()).toEqual(stamped);
  });
  test("is not moved by a line without a time", () => {
    expect(stampedLine("failed to watch file: no space left")).toBeNull();
    expect(stampedLine("")).toBeNull();
  });
});
