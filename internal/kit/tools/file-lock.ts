import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
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
 * holder has died is taken over; two processes that do so at once may, very rarely, both work: the work must bear that.
 * Throws RunnerError `environment` when it is held for longer than `maxWaitMs`, `cancelled` when the wait was stopped.
 */
export async function withFileLock<T>(path: string, wait: LockWait, work: () => Promise<T>): Promise<T> {
  const { clock, maxWaitMs, signal } = wait;
  const start = clock.monotonic();
  const token = Math.random().toString(36).slice(2);
  while (!(await takeHere(path, token))) {
    if (clock.monotonic() - start > maxWaitMs) {
      throw new RunnerError("environment", `another process has held ${path} for too long`, {
        remedy: "stop it, or remove the file when there is none",
      });
    }
    await clock.sleep(LOOK_MS, signal);
    if (signal?.aborted) throw new RunnerError("cancelled", `the wait for ${path} was stopped`);
  }
  try {
    return await work();
  } finally {
    held.delete(token);
    await release(path, token).finally(() => busy.delete(path));
  }
}

/** Paths that this process holds or is about to take: among its own jobs nothing is left to chance. */
const busy = new Set<string>();

async function takeHere(path: string, token: string): Promise<boolean> {
  if (busy.has(path)) return false;
  busy.add(path);
  let taken = false;
  try {
    taken = await take(path, token);
    if (!taken && !(await heldByLiving(path))) {
      await removeDead(path);
      taken = await take(path, token);
    }
    return taken;
  } finally {
    if (!taken) busy.delete(path);
  }
}

/** Locks of this process, by what is written in them. */
const held = new Set<string>();

/** The lock appears with its holder's name in it: one that is empty could not be told from one whose maker died. */
async function take(path: string, token: string): Promise<boolean> {
  const own = aside(path);
  await writeFile(own, JSON.stringify({ ...identify(process.pid), token }), { mode: 0o600, flag: "wx" });
  held.add(token);
  try {
    await link(own, path);
    return true;
  } catch (error) {
    held.delete(token);
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  } finally {
    await rm(own, { force: true });
  }
}

/** Another may have taken the dead lock over since it was looked at: then it is put back. */
async function removeDead(path: string): Promise<void> {
  const moved = aside(path);
  try {
    await rename(path, moved);
  } catch {
    return; // somebody else was first
  }
  if (await heldByLiving(moved)) await link(moved, path).catch(() => undefined);
  await rm(moved, { force: true });
}

/** Ours alone; for a moment it may be aside (see above). */
async function release(path: string, token: string): Promise<void> {
  for (let tries = 0; tries < 3; tries++) {
    const text = await readFile(path, "utf8").catch(() => null);
    if (text?.includes(`"${token}"`)) return await rm(path, { force: true });
    if (text !== null) return;
    await Bun.sleep(10);
  }
}

const aside = (path: string) => `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`;

async function heldByLiving(path: string): Promise<boolean> {
  const text = await readFile(path, "utf8").catch(() => null);
  if (text === null) return false; // given back in between
  try {
    const holder: unknown = JSON.parse(text);
    if (typeof holder !== "object" || holder === null) return false;
    const { pid, startTime, bootId, token } = { pid: 0, startTime: "", bootId: "", token: "", ...holder };
    if (Number(pid) === process.pid && !held.has(String(token))) return false;
    return isSame({ pid: Number(pid), startTime: String(startTime), bootId: String(bootId) });
  } catch {
    return false;
  }
}
