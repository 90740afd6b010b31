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
