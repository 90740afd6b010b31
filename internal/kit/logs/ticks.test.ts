import { expect, test } from "bun:test";
import { createTicks } from "./ticks.ts";

const RULES = { intervalMs: 1_000, partialAfterMs: 2_000, fullBytes: 1_000 };

/** Time of the first read while `sizeAt` tells how the file grows; nothing is ever delivered. */
function firstRead(sizeAt: (now: number) => number): number {
  const ticks = createTicks(RULES);
  let now = 0;
  for (;;) {
    const { waitMs } = ticks.next(now, 0, sizeAt(now), false);
    if (waitMs === 0) return now;
    now += waitMs;
  }
}

test("output is read a moment after its first byte, however steadily more follows", () => {
  expect(firstRead(() => 10)).toBe(20);
  expect(firstRead((now) => 1 + now)).toBeLessThanOrEqual(20);
});

test("a tick never comes later than an interval after the first pending byte", () => {
  const ticks = createTicks(RULES);
  ticks.next(0, 0, 0, false);
  ticks.sent(0);
  ticks.next(5, 10, 15, false);
  let now = 5;
  let size = 15;
  for (;;) {
    const { waitMs } = ticks.next(now, 10, size++, false);
    if (waitMs === 0) break;
    now += waitMs;
  }
  expect(now).toBe(1_000);
});

test("a full window does not wait for the tick", () => {
  const ticks = createTicks(RULES);
  ticks.sent(0);
  expect(ticks.next(1, 0, 999, false).waitMs).toBeGreaterThan(0);
  expect(ticks.next(1, 0, 1_000, false).waitMs).toBe(0);
});

test("an unfinished line becomes due by its age, not by silence", () => {
  const ticks = createTicks(RULES);
  const seen: number[] = [];
  for (let now = 0; now <= 2_200; now += 100) {
    const { waitMs, partial } = ticks.next(now, 0, 1 + now / 100, false);
    if (waitMs === 0 && partial) seen.push(now);
  }
  expect(seen[0]).toBe(2_000);
});

test("when nothing but new output can help, the file is left alone for an interval", () => {
  const ticks = createTicks(RULES);
  for (let now = 0; now < 3_000; now += 50) ticks.next(now, 0, 5, false);
  expect(ticks.next(3_000, 0, 5, false)).toMatchObject({ waitMs: 1_000, idle: true });
});
