import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../kit/base/clock.ts";
import { silentLog } from "../../kit/base/system-log.ts";
import { presenceOf, sessionWords, writePresence } from "./presence.ts";
import { createProcessManager } from "./process-manager.ts";

let stateDir: string;
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), "runner-presence-"));
});
afterEach(() => rmSync(stateDir, { recursive: true, force: true }));

const SHARED = "not connected: another instance on vm-2 works under run1";

test("a runner that another instance keeps from its session says so to who looks after it", async () => {
  writePresence(stateDir, { version: "1.0.0", ready: false, draining: false, waits: SHARED });
  const manager = createProcessManager({
    stateDir,
    argv: () => [],
    env: () => ({}),
    clock: systemClock,
    log: silentLog,
  });
  expect((await manager.state()).text).toBe(`pid ${process.pid}, ${SHARED}`);
  writePresence(stateDir, { version: "1.0.0", ready: true, draining: false });
  expect((await manager.state()).text).toBe(`pid ${process.pid}, connected`);
  manager.close();
});

test("what would write on the terminal of who looks at it is left out, and the process is known all the same", () => {
  writePresence(stateDir, { version: "1.0.0", ready: false, draining: false, waits: "\u001b[2J" });
  expect(sessionWords(presenceOf(stateDir))).toBe("not connected yet");
});

test("what a newer version adds is no reason not to know its process", () => {
  writePresence(stateDir, { version: "9.0.0", ready: true, draining: false });
  const file = join(stateDir, "process.json");
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), added: { later: 1 } }));
  expect(presenceOf(stateDir)?.version).toBe("9.0.0");
});
