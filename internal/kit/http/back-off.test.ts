import { expect, test } from "bun:test";
import { retryAfterMs, waitMs } from "./back-off.ts";

const rule = { base_ms: 500, cap_ms: 30_000 };

test("waits double from the base up to the cap, the upper half random", () => {
  const shortest = [1, 2, 3, 7, 8, 60].map((failed) => waitMs(rule, failed, () => 0));
  const longest = [1, 2, 3, 7, 8, 60].map((failed) => waitMs(rule, failed, () => 1));
  expect(shortest).toEqual([250, 500, 1_000, 15_000, 15_000, 15_000]);
  expect(longest).toEqual([500, 1_000, 2_000, 30_000, 30_000, 30_000]);
});

test("what the server asks for is a lower bound, also above the cap", () => {
  expect(waitMs(rule, 1, () => 0, 90_000)).toBe(90_000);
  expect(waitMs(rule, 8, () => 1, 1_000)).toBe(30_000);
});

test("Retry-After is read as seconds and as a date; nonsense is ignored", () => {
  const now = Date.parse("Sat, 21 Nov 2026 10:00:00 GMT");
  expect(retryAfterMs("7", now)).toBe(7_000);
  expect(retryAfterMs("Sat, 21 Nov 2026 10:00:30 GMT", now)).toBe(30_000);
  expect(retryAfterMs("Sat, 21 Nov 2026 09:00:00 GMT", now)).toBe(0);
  expect(retryAfterMs("soon", now)).toBeNull();
  expect(retryAfterMs(null, now)).toBeNull();
});
