import { describe, expect, test } from "bun:test";
import { zip } from "../../../test/lib/zip.ts";
import { planBase, staleReason } from "./plan-base.ts";

const planOn = (serial: number, lineage: string) => zip("tfstate", JSON.stringify({ version: 4, serial, lineage }));

describe("a saved plan", () => {
  test("says which state it was made on", () => {
    expect(planBase(planOn(7, "one"))).toEqual({ serial: 7, lineage: "one" });
  });

  test("says nothing when it is cut off, of another format, or has no such entry", () => {
    const whole = planOn(7, "one");
    for (let length = 0; length < whole.length; length += 7) expect(planBase(whole.subarray(0, length))).toBeNull();
    expect(planBase(zip("tfplan", "x"))).toBeNull();
    expect(planBase(zip("tfstate", '{"serial":"7"}'))).toBeNull();
    expect(planBase(new TextEncoder().encode("encrypted"))).toBeNull();
  });
});

describe("a plan and the state as it is now", () => {
  const on = (serial: number, lineage = "one") => ({ serial, lineage });
  const nothing = on(0, "");
  test("fit when the state is the one it was made on, or there was and is none", () => {
    expect(staleReason(on(3), on(3))).toBeNull();
    expect(staleReason(nothing, null)).toBeNull();
    expect(staleReason(null, null)).toBeNull();
  });

  test("do not fit when the state moved, came, went, or is another one; the reason names then and now", () => {
    expect(staleReason(on(3), on(5))).toBe(
      "stale_plan: the plan was made on serial 3 of the state, which is at serial 5 now",
    );
    expect(staleReason(nothing, on(1))).toBe(
      "stale_plan: the plan was made when there was no state, which is at serial 1 now",
    );
    expect(staleReason(on(3), null)).toBe("stale_plan: the plan was made on serial 3 of the state, which is gone now");
    expect(staleReason(on(3), on(3, "two"))).toBe(
      "stale_plan: the plan was made on another state (lineage one, here it is two)",
    );
  });
});
