import { describe, expect, test } from "bun:test";
import { agoWords, bytesWords, count, durationWords, elapsedMs, runningWords } from "./format.ts";

describe("times in words", () => {
  test("a duration is given in the two units that matter", () => {
    const cases: [number, string][] = [
      [0, "0 ms"],
      [849.6, "850 ms"],
      [4_290, "4.2 s"],
      [59_999, "59 s"],
      [65_000, "1 min 05 s"],
      [7_800_000, "2 h 10 min"],
      [273_600_000, "3 d 4 h"],
      [-5, "0 s"],
      [Number.NaN, "0 s"],
    ];
    for (const [ms, words] of cases) expect(durationWords(ms)).toBe(words);
  });

  test("what still runs is told in whole seconds", () => {
    expect([0, 999, 4_290, 65_000].map(runningWords)).toEqual(["0 s", "0 s", "4 s", "1 min 05 s"]);
  });

  test("a past moment is told from now, and a clock that runs ahead is no negative time", () => {
    const now = Date.parse("2026-11-21T12:00:00Z");
    const at = (seconds: number) => new Date(now - seconds * 1_000).toISOString();
    expect([2, 59, 61, 7_200, 200_000, -30].map((seconds) => agoWords(at(seconds), now))).toEqual([
      "just now",
      "59 s ago",
      "1 min ago",
      "2 h ago",
      "2 d ago",
      "just now",
    ]);
    expect(agoWords("nonsense", now)).toBe("at an unknown time");
  });

  test("what runs is counted up to now, what has ended up to its end", () => {
    const start = "2026-11-21T12:00:00.000Z";
    expect(elapsedMs(null, null, 0)).toBe(null);
    expect(elapsedMs(start, null, Date.parse(start) + 5_000)).toBe(5_000);
    expect(elapsedMs(start, "2026-11-21T12:00:01.500Z", 0)).toBe(1_500);
    expect(elapsedMs(start, null, Date.parse(start) - 5_000)).toBe(0);
  });

  test("amounts agree with their noun", () => {
    expect([count(1, "job"), count(2, "job"), count(20_000, "line")]).toEqual(["1 job", "2 jobs", "20,000 lines"]);
  });
});

test("amounts of memory and disk have the unit that fits", () => {
  expect([0, 1_023, 1_024, 1_536 * 1_024, 16 * 1_024 ** 3, 5_000 * 1_024 ** 4].map(bytesWords)).toEqual([
    "0 B",
    "1023 B",
    "1.0 KiB",
    "1.5 MiB",
    "16.0 GiB",
    "5000.0 TiB",
  ]);
});
