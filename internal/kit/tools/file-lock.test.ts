import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { identify } from "../exec/index.ts";
import { withFileLock } from "./file-lock.ts";

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "lock-"));
});
afterEach(() => rmSync(base, { recursive: true, force: true }));
const clock: Clock = { now: Date.now, monotonic: () => performance.now(), sleep: () => Bun.sleep(1) };

const DEAD = {
  "a process of an earlier boot": JSON.stringify({ pid: 1, startTime: "1", bootId: "an earlier boot" }),
  "a process that ended": JSON.stringify({ pid: 999_999_999, startTime: "1", bootId: "x" }),
  "this process, which no longer knows it": JSON.stringify({ ...identify(process.pid), token: "forgotten" }),
  "nobody: it is half written": "{",
};

test.each(Object.entries(DEAD))("a lock left by %s is taken over by one of many at a time", async (_, left) => {
  const path = join(base, "lock");
  for (let round = 0; round < 10; round++) {
    writeFileSync(path, left);
    let inside = 0;
    let most = 0;
    const work = async () => {
      most = Math.max(most, ++inside);
      await Bun.sleep(2);
      inside -= 1;
    };
    const wait = { clock, maxWaitMs: 60_000 };
    await Promise.all(Array.from({ length: 5 }, () => withFileLock(path, wait, work)));
    expect(most).toBe(1);
  }
  expect(readdirSync(base)).toEqual([]);
});
