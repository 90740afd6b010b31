import { expect, test } from "bun:test";
import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { endTempFolder, makeTempFolder } from "./temp-folder.ts";

test("what tests left behind is told by its kind, and goes with their folder", () => {
  const folder = makeTempFolder();
  expect(statSync(folder.path).mode & 0o7777).toBe(0o1777);
  for (const name of ["source-aB3dE9", "source-aB3dEf", "handler-123456"]) mkdirSync(join(folder.path, name));
  writeFileSync(join(folder.path, "source-aB3dE9/file"), "left");
  expect(folder.end()).toEqual({ names: ["source ×2", "handler ×1"], stays: [] });
  expect(existsSync(folder.path)).toBe(false);
});

test("a folder in which something is mounted is left alone: what is mounted would be emptied", () => {
  const folder = makeTempFolder();
  const inside = join(folder.path, "root/work");
  mkdirSync(inside, { recursive: true });
  expect(endTempFolder(folder.path, ["/", `${folder.path}-other`, inside]).stays).toEqual([`${inside} is mounted`]);
  expect(existsSync(inside)).toBe(true);
  expect(folder.end().stays).toEqual([]);
  expect(existsSync(folder.path)).toBe(false);
});
