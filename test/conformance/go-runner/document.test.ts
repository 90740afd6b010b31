import { expect, test } from "bun:test";
import { dirname, join } from "node:path";

const DOCUMENT = join(import.meta.dir, "../../../docs/compatibility.md");

test("every promise of docs/compatibility.md is the title of a test in the file it links to", async () => {
  const text = await Bun.file(DOCUMENT).text();
  const links = [...text.matchAll(/\[([^\]]+)\]\((\.\.\/test\/[^)]+)\)/g)];
  expect(links.length).toBeGreaterThan(20);
  const missing: string[] = [];
  for (const [, title = "", file = ""] of links) {
    const source = await Bun.file(join(dirname(DOCUMENT), file)).text();
    if (!source.includes(title)) missing.push(`${title} → ${file}`);
  }
  expect(missing).toEqual([]);
});
