import { expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDb } from "./db.ts";

test("the database and its side files are for their owner alone, wherever they lie", () => {
  const folder = mkdtempSync(join(tmpdir(), "db-mode-"));
  const db = openDb(join(folder, "coordinator.db"));
  try {
    const modes = readdirSync(folder).map((name) => [name, (statSync(join(folder, name)).mode & 0o777).toString(8)]);
    expect(modes.sort()).toEqual([
      ["coordinator.db", "600"],
      ["coordinator.db-shm", "600"],
      ["coordinator.db-wal", "600"],
    ]);
  } finally {
    db.close();
    rmSync(folder, { recursive: true });
  }
});
