import { expect, test } from "bun:test";
import { readFileSync, readlinkSync } from "node:fs";
import { dropCode } from "./start-pages.ts";

/** Bytes of this program's code that are mapped right now. */
function mappedCode(): number {
  const program = readlinkSync("/proc/self/exe");
  const areas = readFileSync("/proc/self/smaps", "utf8").split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  const code = areas.filter((area) => area.includes(" r-xp ") && area.split("\n")[0]?.endsWith(` ${program}`));
  return code.reduce((sum, area) => sum + Number(/^Rss:\s+(\d+) kB/m.exec(area)?.[1] ?? 0) * 1024, 0);
}

test.skipIf(process.platform !== "linux")(
  "code that only the start needed is given back, and work goes on",
  async () => {
    const before = mappedCode();
    expect(await dropCode()).toBeGreaterThan(before);
    expect(mappedCode()).toBeLessThan(before);
    expect(JSON.parse(JSON.stringify({ works: [1, "two"] }))).toEqual({ works: [1, "two"] });
  },
);
