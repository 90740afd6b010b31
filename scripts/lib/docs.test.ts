import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT } from "./spawn.ts";

const inside = (folder: string) => readdirSync(ROOT + folder).map((name) => `${folder}/${name}`);
const documents = [
  "README.md",
  "CONTRIBUTING.md",
  "examples/README.md",
  ...inside("docs"),
  ...inside("docs/handlers"),
].filter((name) => name.endsWith(".md"));
const read = (name: string) => readFileSync(`${ROOT}${name}`, "utf8");

describe("the documents keep their word", () => {
  for (const name of documents) {
    test(`${name} links only to what is there`, () => {
      const links = [...read(name).matchAll(/\]\(([^)#:]+)\)/g)].map(([, target = ""]) => target);
      expect(links.filter((target) => !existsSync(join(ROOT, dirname(name), target)))).toEqual([]);
    });
  }

  const promises = [...read("README.md").matchAll(/\| \[(.+?)\]\((test\/[^)]+)\) \|$/gm)];
  test("the README lists promises", () => expect(promises.length).toBeGreaterThan(10));
  for (const [, title = "", file = ""] of promises) {
    test(`the promise "${title}" is a test of ${file}`, () => expect(read(file)).toContain(title));
  }

  test("CONTRIBUTING.md has at most 80 lines", () => {
    expect(read("CONTRIBUTING.md").trimEnd().split("\n").length).toBeLessThanOrEqual(80);
  });
});
