import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { ROOT } from "./spawn.ts";

const read = (name: string) => readFileSync(`${ROOT}${name}`, "utf8");

describe("the documents keep their word", () => {
  const promises = [...read("README.md").matchAll(/\| \[(.+?)\]\((test\/[^)]+)\) \|$/gm)];
  test("the README lists promises", () => expect(promises.length).toBeGreaterThan(10));
  for (const [, title = "", file = ""] of promises) {
    test(`the promise "${title}" is a test of ${file}`, () => expect(read(file)).toContain(title));
  }

  test("CONTRIBUTING.md has at most 80 lines", () => {
    expect(read("CONTRIBUTING.md").trimEnd().split("\n").length).toBeLessThanOrEqual(80);
  });
});
