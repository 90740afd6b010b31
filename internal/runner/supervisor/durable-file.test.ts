import { expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeDurable } from "./durable-file.ts";

test("a file for which there is only half the room is as it was before, and that is said", () => {
  const folder = mkdtempSync(join(tmpdir(), "runner-durable-"));
  const path = join(folder, "update.json");
  try {
    writeDurable(path, "before");
    const script = `
      import { writeDurable } from ${JSON.stringify(join(import.meta.dir, "durable-file.ts"))};
      try { writeDurable(${JSON.stringify(path)}, "x".repeat(40_000)); console.log("written"); }
      catch (error) { console.log("refused: " + error.code); }`;
    // Beyond 4 KiB the kernel writes a part of what it is given, as it does on a disk that is nearly full.
    const shell = `trap '' XFSZ; ulimit -f 8; exec "$0" -e "$1"`;
    const done = Bun.spawnSync(["sh", "-c", shell, process.execPath, script], { stderr: "inherit" });
    expect(done.stdout.toString()).toStartWith("refused: ");
    expect(readFileSync(path, "utf8")).toBe("before");
    expect(readdirSync(folder)).toEqual(["update.json"]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
