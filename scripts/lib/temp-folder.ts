import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * A temporary folder for everything that tests make, TMPDIR to them: `bun test` runs no exit handler, so what they leave
 * goes with it. Short, because the path of a socket has 107 bytes; for every user, as /tmp is.
 */
export function makeTempFolder(base = tmpdir()): { readonly path: string; end(): Left } {
  const path = mkdtempSync(join(base, "t-"));
  chmodSync(path, 0o1777);
  return { path, end: () => endTempFolder(path) };
}

export interface Left {
  /** `source ×12`: names without what makes them unique, and how often. */
  readonly names: readonly string[];
  /** Why the folder stays: mounts in it, which would be emptied, or what removing it failed with. */
  readonly stays: readonly string[];
}

export function endTempFolder(path: string, mounts = readMounts()): Left {
  const counts = new Map<string, number>();
  for (const name of readdirSync(path)) {
    const kind = name.replace(/-[A-Za-z0-9]{6}$/, "");
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  const names = [...counts].sort(([, a], [, b]) => b - a).map(([kind, count]) => `${kind} ×${count}`);
  const mounted = mounts.filter((mount) => mount.startsWith(`${path}/`));
  if (mounted.length > 0) return { names, stays: mounted.map((mount) => `${mount} is mounted`) };
  try {
    rmSync(path, { recursive: true, force: true });
    return { names, stays: [] };
  } catch (error) {
    return { names, stays: [String(error)] };
  }
}

/** Mount points of this machine; none where there is no /proc. */
function readMounts(): string[] {
  try {
    const lines = readFileSync("/proc/self/mountinfo", "utf8").trimEnd().split("\n");
    return lines.map((line) => (line.split(" ")[4] ?? "").replace(/\\040/g, " "));
  } catch {
    return [];
  }
}
