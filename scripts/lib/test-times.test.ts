import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { recordTimes, testFiles, writeTimes } from "./test-times.ts";

let folder = "";
const file = (name: string) => join(folder, name);
const put = (name: string, files: Record<string, number>) =>
  writeFileSync(file(name), JSON.stringify({ version: 1, files }));
const get = (name: string) => JSON.parse(readFileSync(file(name), "utf8"));

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "test-times-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a record keeps the slow files, the slowest first, in whole seconds", () => {
  put("measured.json", { "a.test.ts": 7400, "quick.test.ts": 800, "b.test.ts": 61_600 });
  recordTimes(file("measured.json"), file("record.json"));
  expect(Object.entries(get("record.json").files)).toEqual([
    ["b.test.ts", 62_000],
    ["a.test.ts", 7000],
  ]);
});

test("bun is told of every file of a run: a new one counts as quick, one that is gone is not named", () => {
  put("known.json", { "slow.test.ts": 90_000, "gone.test.ts": 9000 });
  writeTimes(file("run.json"), ["slow.test.ts", "new.test.ts"], file("known.json"));
  expect(get("run.json")).toEqual({ version: 1, files: { "slow.test.ts": 90_000, "new.test.ts": 500 } });
});

test("the test files of a folder are found by their paths from the root", () => {
  expect(testFiles(["scripts", "no-such-folder"])).toContain("scripts/lib/test-times.test.ts");
});
