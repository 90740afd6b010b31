import { describe, expect, test } from "bun:test";
import type { Clock } from "../base/clock.ts";
import { renewed } from "./renewed.ts";

describe("a credential that expires", () => {
  let now = 0;
  const clock: Clock = { now: () => now, monotonic: () => now, sleep: () => Promise.resolve() };
  const bed = (lifeMs: number | null) => {
    now = 0;
    let asked = 0;
    let fails = false;
    const get = renewed(async () => {
      asked += 1;
      if (fails) throw new Error("away");
      return { value: asked, untilMs: lifeMs === null ? null : now + lifeMs };
    }, clock);
    const fail = () => {
      fails = true;
    };
    return { fail, value: async () => (await get()).value };
  };

  test("is made once for all who ask together, and again five minutes before its end", async () => {
    const one = bed(3_600_000);
    expect(await Promise.all([one.value(), one.value()])).toEqual([1, 1]);
    now = 3_600_000 - 300_001;
    expect(await one.value()).toBe(1);
    now += 1;
    expect(await one.value()).toBe(2);
  });
  test("of a short life is renewed in its last third", async () => {
    const one = bed(60_000);
    expect(await one.value()).toBe(1);
    now = 39_999;
    expect(await one.value()).toBe(1);
    now = 40_000;
    expect(await one.value()).toBe(2);
  });
  test("that cannot be renewed is used to its end, and not beyond", async () => {
    const one = bed(60_000);
    await one.value();
    one.fail();
    now = 59_999;
    expect(await one.value()).toBe(1);
    now = 60_000;
    await expect(one.value()).rejects.toThrow("away");
  });
  test("without an end is made once", async () => {
    const one = bed(null);
    await one.value();
    now = 1e12;
    expect(await one.value()).toBe(1);
  });
});
