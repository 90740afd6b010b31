import { link, readFile, rm, writeFile } from "node:fs/promises";
import { RunnerError } from "../../protocol/errors.ts";
import type { Clock } from "../base/clock.ts";
import { identify, isSame } from "../exec/index.ts";

const LOOK_MS = 100;

export interface LockWait {
  readonly clock: Clock;
  readonly maxWaitMs: number;
  readonly signal?: AbortSignal;
}

/**
 * Runs the work while holding a lock file, so that two processes do not fetch the same thing at once. A lock whose
 * holder has died is taken over; two that do so at once may both work, so the work must bear that. Throws RunnerError
 * `environment` when it is held for longer than `maxWaitMs`, `cancelled` when the wait was stopped.
 */
export async function withFileLock<T>(path: string, wait: LockWait, work: () => Promise<T>): Promise<T> {
  const { clock, maxWaitMs, signal } = wait;
  const start = clock.monotonic();
  while (!(await take(path))) {
    if (!(await heldByLiving(path))) await rm(path, { force: true });
    else if (clock.monotonic() - start > maxWaitMs) {
      throw new RunnerError("environment", `another process has held ${path} for too long`, {
        remedy: "stop it, or remove the file when there is none",
      });
    } else await clock.sleep(LOOK_MS, signal);
    if (signal?.aborted) throw new RunnerError("cancelled", `the wait for ${path} was stopped`);
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

/** The lock appears with its holder's name in it: one that is empty could not be told from one whose maker died. */
async function take(path: string): Promise<boolean> {
  const own = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  await writeFile(own, JSON.stringify(identify(process.pid)), { mode: 0o600, flag: "wx" });
  try {
    await link(own, path);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  } finally {
    await rm(own, { force: true });
  }
}

async function heldByLiving(path: string): Promise<boolean> {
  const text = await readFile(path, "utf8").catch(() => null);
  if (text === null) return false; // given back in between
  try {
    const holder: unknown = JSON.parse(text);
    if (typeof holder !== "object" || holder === null) return false;
    const { pid, startTime, bootId } = { pid: 0, startTime: "", bootId: "", ...holder };
    return isSame({ pid: Number(pid), startTime: String(startTime), bootId: String(bootId) });
  } catch {
    return false;
  }
}
