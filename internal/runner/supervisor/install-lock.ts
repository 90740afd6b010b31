import { existsSync, linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../kit/base/clock.ts";
import { identify, isSame } from "../../kit/exec/index.ts";
import { RunnerError } from "../../protocol/errors.ts";

const LOOK_MS = 200;

/**
 * Runs the work while holding the lock of install.sh, `PREFIX/lib/runner/.lock`: one line `PID BOOT START`, which appears
 * by a hard link, whole or not at all. One whose holder has died is taken over. Throws RunnerError environment when it is
 * held for longer than `maxWaitMs`.
 */
export async function withInstallLock<T>(root: string, clock: Clock, maxWaitMs: number, work: () => T | Promise<T>) {
  const path = join(root, ".lock");
  const mine = join(root, `.lock-${process.pid}`);
  const own = identify(process.pid);
  const line = `${process.pid} ${own?.bootId ?? ""} ${own?.startTime ?? ""}\n`;
  const until = clock.monotonic() + maxWaitMs;
  for (;;) {
    writeFileSync(mine, line);
    if (linked(mine, path)) break;
    const holder = readHolder(path);
    if (holder !== null && (holder === line.trim() || !lives(holder))) {
      takeAway(path, `${mine}.dead`, holder);
      continue;
    }
    if (clock.monotonic() > until) {
      rmSync(mine, { force: true });
      throw new RunnerError(
        "environment",
        `an install (process ${holder?.split(" ")[0] ?? "?"}) is at work in ${root}`,
        {
          remedy: "Try again when it is done.",
        },
      );
    }
    await clock.sleep(LOOK_MS);
  }
  rmSync(mine, { force: true });
  try {
    return await work();
  } finally {
    rmSync(path, { force: true });
  }
}

function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

function readHolder(path: string): string | null {
  try {
    return readFileSync(path, "utf8").trim() || null;
  } catch {
    return null;
  }
}

function lives(holder: string): boolean {
  const [pid = "", bootId = "", startTime = ""] = holder.split(" ");
  return Number(pid) > 0 && isSame({ pid: Number(pid), bootId, startTime });
}

/** Somebody quicker may have done the same, and this be his: then it is put back. */
function takeAway(path: string, aside: string, holder: string): void {
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  if (readHolder(aside) !== holder && !existsSync(path)) linked(aside, path);
  rmSync(aside, { force: true });
}
