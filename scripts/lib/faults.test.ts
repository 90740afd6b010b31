import { expect, test } from "bun:test";
import { wishOf } from "./faults.ts";

test("`npm run faults` runs the whole suite once, or the named cases N times", () => {
  expect(wishOf([])).toEqual({ rounds: 1, args: ["./test/faults"] });
  expect(wishOf(["--repeat", "50", "--only", "SIGKILL"])).toEqual({
    rounds: 50,
    args: ["-t", "SIGKILL", "./test/faults"],
  });
  expect(wishOf(["test/faults/stops.test.ts"])).toEqual({ rounds: 1, args: ["test/faults/stops.test.ts"] });
});

test("`npm run faults` refuses what it does not know instead of running less than was meant", () => {
  for (const wrong of [["--repeat"], ["--repeat", "0"], ["--repeat", "x"], ["--only"], ["--repaet", "5"]]) {
    expect(wishOf(wrong)).toBeNull();
  }
});
