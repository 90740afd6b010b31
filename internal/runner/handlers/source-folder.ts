import { existsSync, mkdirSync, rmSync, statSync } from "node:fs";
import { isAbsolute, relative, resolve } from "node:path";
import { RunnerError } from "../../protocol/errors.ts";

/** An empty private folder for a source; what a fetch that a crash interrupted left there is removed. */
export function emptyFolder(path: string): string {
  if (existsSync(path)) rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true, mode: 0o700 });
  return path;
}

/** The folder `path` of a fetched source. Throws RunnerError (job) that begins with `who`. */
export function folderInSource(source: string, path: string, who: string): string {
  const folder = placeInSource(source, path, who);
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return folder;
  throw new RunnerError("job", `${who}: its source has no folder ${path}`);
}

/** A plain relative path joined to a folder. Throws RunnerError (job) when it leads out. */
export function placeInSource(source: string, path: string, who: string): string {
  const place = resolve(source, path);
  const steps = relative(source, place).split("/");
  if (steps[0] !== ".." && !isAbsolute(path) && !path.includes("\0")) return place;
  throw new RunnerError("job", `${who}: the path ${path} leads out of its source`);
}
