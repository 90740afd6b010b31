import { expect, test } from "bun:test";
import { join } from "node:path";
import { CHECKLIST } from "./checklist.ts";

const ROOT = join(import.meta.dir, "../../..");

test("all ten lines of the checklist for a runner are there, and each test they name exists", async () => {
  expect(CHECKLIST).toHaveLength(10);
  const missing: string[] = [];
  for (const { says, shown } of CHECKLIST) {
    expect(shown.length).toBeGreaterThan(0);
    for (const [file, title] of shown) {
      const source = Bun.file(join(ROOT, file));
      if (!(await source.exists()) || !(await source.text()).includes(title)) missing.push(`${says}: ${file} ${title}`);
    }
  }
  expect(missing).toEqual([]);
});

test("docs/nuon-control-plane.md has every line, and each test it links to exists", async () => {
  const text = await Bun.file(join(ROOT, "docs/nuon-control-plane.md")).text();
  expect(CHECKLIST.filter(({ says }) => !text.includes(`| ${says} |`)).map(({ says }) => says)).toEqual([]);
  const links = [...text.matchAll(/\[([^\]]+)\]\(\.\.\/(test\/[^)]+)\)/g)];
  expect(links).toHaveLength(CHECKLIST.length);
  for (const [, title = "", file = ""] of links) expect(await Bun.file(join(ROOT, file)).text()).toContain(title);
});

test("docs/nuon-control-plane.md quotes what the runner says as it says it", async () => {
  const text = await Bun.file(join(ROOT, "docs/nuon-control-plane.md")).text();
  const [, table = ""] = /## What a person sees\n([\s\S]*?)\n## /.exec(text) ?? [];
  const firstCells = [...table.matchAll(/^\| (`[^|]+) \|/gm)].map(([, cell = ""]) => cell);
  const said = firstCells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, line = ""]) => line));
  expect(said.length).toBeGreaterThan(5);
  const sources = await Promise.all(
    [...new Bun.Glob("internal/runner/**/*.ts").scanSync(ROOT)].map((file) => Bun.file(join(ROOT, file)).text()),
  );
  // `…` stands for what differs.
  const isSaid = (line: string) =>
    line.split("…").every((part) => sources.some((source) => source.includes(part.trim())));
  expect(said.filter((line) => !isSaid(line))).toEqual([]);
});
