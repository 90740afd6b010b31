import { expect, test } from "bun:test";
import { median, quantile } from "./stats.ts";

test("the median is the value in the middle, or the mean of the two", () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([7])).toBe(7);
});

test("p99 of fewer than a hundred runs is the worst of them", () => {
  const runs = Array.from({ length: 20 }, (_, i) => i + 1);
  expect(quantile(runs, 0.99)).toBe(20);
  expect(quantile(runs, 0.95)).toBe(19);
  expect(
    quantile(
      Array.from({ length: 200 }, (_, i) => i + 1),
      0.99,
    ),
  ).toBe(198);
});
