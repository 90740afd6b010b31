import { lstat, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../base/clock.ts";
import { withFileLock } from "../tools/index.ts";
import { walkTree } from "../workspace/index.ts";
import type { GitCache } from "./mirror.ts";

interface Kept {
  readonly path: string;
  readonly bytes: number;
  readonly usedMs: number;
}

/**
 * Removes the repositories used longest ago until the rest fits, and what a killed runner left half-made. One that is
 * being fetched into stays; who reads one that goes finds that out and fetches again.
 */
export async function makeRoom({ dir, maxBytes }: GitCache): Promise<void> {
  const kept: Kept[] = [];
  for (const name of await readdir(dir).catch(() => [])) {
    const path = join(dir, name);
    const [, repository, rest] = /^([0-9a-f]{32}\.git)(\..+)?$/.exec(name) ?? [];
    if (repository === undefined || rest === ".lock") continue;
    if (rest === undefined) kept.push({ path, bytes: await bytesIn(path), usedMs: await usedAt(path) });
    else if (!rest.startsWith(".lock.") || (await usedAt(path)) < Date.now() - STALE_MS) {
      await unlessHeld(join(dir, repository), path);
    }
  }
  let total = kept.reduce((sum, { bytes }) => sum + bytes, 0);
  for (const { path, bytes } of kept.sort((a, b) => a.usedMs - b.usedMs)) {
    if (total <= maxBytes) return;
    if (await unlessHeld(path, path)) total -= bytes;
  }
}

/** Locks live for a moment before they get their name; older ones were left by a process that died. */
const STALE_MS = 3_600_000;

async function unlessHeld(repository: string, path: string): Promise<boolean> {
  try {
    const wait = { clock: systemClock, maxWaitMs: 0 };
    await withFileLock(`${repository}.lock`, wait, () => rm(path, { recursive: true, force: true }));
    return true;
  } catch {
    return false; // somebody fetches into it right now
  }
}

const usedAt = (path: string) =>
  stat(join(path, "description"))
    .catch(() => stat(path))
    .then(
      ({ mtimeMs }) => mtimeMs,
      () => 0,
    );

async function bytesIn(path: string): Promise<number> {
  let bytes = 0;
  try {
    for await (const found of walkTree(path)) {
      bytes += (await lstat(join(path, found.path)).catch(() => null))?.size ?? 0;
    }
  } catch {
    // It went away meanwhile.
  }
  return bytes;
}
