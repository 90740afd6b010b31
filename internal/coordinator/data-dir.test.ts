import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "../kit/base/system-log.ts";
import { DEFAULT_TIMES } from "../protocol/times.ts";
import { openDataDir } from "./data-dir.ts";
import { startCoordinator } from "./start.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "data-dir-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const start = (dataDir: string, port = 0) =>
  startCoordinator(
    {
      version: "test",
      host: "127.0.0.1",
      port,
      dataDir,
      adminKeyFile: join(dataDir, "admin.key"),
      publicUrl: null,
      tls: null,
      times: DEFAULT_TIMES,
      exclusive: true,
    },
    { log: silentLog },
  );

describe("starting the coordinator", () => {
  test("makes the admin key once, readable by its owner only", async () => {
    const first = await start(dir);
    await first.stop();
    const second = await start(dir);
    await second.stop();
    expect(second.adminKey).toBe(first.adminKey);
    expect(statSync(join(dir, "admin.key")).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(dir, "admin.key"), "utf8")).toBe(`${first.adminKey}\n`);
  });

  test("in a folder that another one uses is refused in one sentence that names it", async () => {
    const first = await start(dir);
    await expect(start(dir)).rejects.toThrow(`another coordinator uses the data folder ${dir}`);
    await first.stop();
    await (await start(dir)).stop();
  });

  test("on a port in use is refused before the folder is touched", async () => {
    const other = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
    const refused = start(dir, other.port);
    await expect(refused).rejects.toThrow(`another program listens on 127.0.0.1:${other.port}`);
    expect(readdirSync(dir)).toEqual([]);
    await other.stop(true);
  });

  test("with a damaged database is refused and the file is left as it is", async () => {
    writeFileSync(join(dir, "coordinator.db"), "this is not a database, whatever it says".repeat(100));
    const before = readFileSync(join(dir, "coordinator.db"));
    await expect(start(dir)).rejects.toThrow("coordinator.db is damaged");
    expect(readFileSync(join(dir, "coordinator.db")).equals(before)).toBe(true);
  });

  test("where a file is in the place of the folder says so", async () => {
    writeFileSync(join(dir, "file"), "");
    await expect(start(join(dir, "file"))).rejects.toThrow(`the folder ${join(dir, "file")} cannot be used`);
  });

  test("with an admin key that is too short is refused", async () => {
    writeFileSync(join(dir, "admin.key"), "short\n");
    await expect(start(dir)).rejects.toThrow("is not a key");
  });
});

test("two processes may share a folder when asked to", () => {
  const one = openDataDir(dir, false);
  const two = openDataDir(dir, false);
  expect(two.secret).toBe(one.secret);
  one.close();
  two.close();
});
