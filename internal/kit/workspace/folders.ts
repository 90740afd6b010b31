import { statfsSync } from "node:fs";
import { chmod, lstat, mkdir, readdir, readFile, realpath, rm } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import { RunnerError, reasonOf } from "../../protocol/errors.ts";

/**
 * Makes a folder that only this user can enter (0700), parents included. Throws RunnerError `environment` when it
 * cannot be made, or when the name is taken by a link or a file: a link could lead anywhere.
 */
export async function makePrivateDir(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    const kind = await lstat(path);
    if (!kind.isDirectory()) throw new Error("it is a link, not a folder");
    if ((kind.mode & 0o777) !== 0o700) await chmod(path, 0o700);
  } catch (cause) {
    throw new RunnerError("environment", `folder ${path} cannot be used: ${reasonOf(cause)}`, {
      remedy: "choose another state directory, or make this one writable for the user of the runner",
      cause,
    });
  }
}

/**
 * Deletes a file or a whole folder below `stateDir`, and nothing else: what lies outside (also by way of a link in the
 * path), the state directory itself, and folders with something mounted in them are refused. Links are removed, never
 * followed. A path that does not exist is fine. Throws RunnerError `defect` for a refusal, `environment` otherwise.
 */
export async function removeTree(path: string, stateDir: string): Promise<void> {
  const target = await realPlace(path);
  const root = await realpath(stateDir).catch(() => null);
  if (target === null) return;
  if (root === null || !target.startsWith(root + sep)) {
    throw new RunnerError("defect", `refused to delete ${path}: it is not inside the state directory ${stateDir}`);
  }
  const mounted = (await mountPoints()).find((point) => point === target || point.startsWith(target + sep));
  if (mounted !== undefined) {
    throw new RunnerError("environment", `${path} was not deleted: ${mounted} is mounted in it`, {
      remedy: `unmount ${mounted}; the folder is removed at the next start`,
    });
  }
  const remove = () => rm(target, { recursive: true, force: true });
  try {
    await remove().catch(async () => {
      await openFolders(target);
      await remove();
    });
  } catch (cause) {
    throw new RunnerError("environment", `${path} could not be deleted: ${reasonOf(cause)}`, { cause });
  }
}

/** Bytes that this user can still write on the file system of `path`. Throws the file system's error. */
export function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}

/** Links in the way are resolved, the last part is not: a link is deleted as the link it is. null: nothing there. */
async function realPlace(path: string): Promise<string | null> {
  const absolute = resolve(path);
  try {
    const parent = await realpath(dirname(absolute));
    const place = join(parent, basename(absolute));
    await lstat(place);
    return place;
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR")) return null;
    throw new RunnerError("environment", `${path} could not be deleted: ${reasonOf(error)}`, { cause: error });
  }
}

/** A tool may leave read-only folders (Go's module cache does); only root deletes from those. */
async function openFolders(folder: string): Promise<void> {
  if (!(await lstat(folder)).isDirectory()) return;
  await chmod(folder, 0o700);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await openFolders(join(folder, entry.name));
  }
}

async function mountPoints(): Promise<string[]> {
  const table = await readFile("/proc/self/mountinfo", "utf8").catch(() => "");
  return table
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .map((point) =>
      point.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    );
}
