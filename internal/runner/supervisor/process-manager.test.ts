import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../../test/faults/lib/processes.ts";
import { silentLog } from "../../kit/base/system-log.ts";
import { createProcessManager } from "./process-manager.ts";

test("a runner that hangs, and so never says that it drains, is not waited for", async () => {
  const root = mkdtempSync(join(tmpdir(), "runner-hangs-"));
  const began = join(root, "began");
  let now = 0;
  const manager = createProcessManager({
    stateDir: root,
    argv: () => ["sh", "-c", `trap '' TERM; touch ${began}; while :; do sleep 0.1; done`],
    env: () => ({ PATH: process.env.PATH }),
    clock: {
      now: () => now,
      monotonic: () => now,
      sleep: async (ms) => {
        now += ms;
        await Bun.sleep(1);
      },
    },
    log: silentLog,
  });
  try {
    expect((await manager.start()).ok).toBe(true);
    await until("it hangs", () => existsSync(began));
    const before = now;
    expect((await manager.stop("drain")).ok).toBe(true);
    expect(now - before).toBeGreaterThan(60_000);
    expect(await manager.state()).toMatchObject({ pid: null, down: true });
  } finally {
    await manager.stop("leave");
    manager.close();
    rmSync(root, { recursive: true, force: true });
  }
});
