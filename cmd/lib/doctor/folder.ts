import { Database } from "bun:sqlite";
import { accessSync, constants, existsSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { freeBytes } from "../../../internal/kit/workspace/index.ts";
import { reasonOf } from "../../../internal/protocol/errors.ts";
import { type Finding, findings, sizeText } from "./finding.ts";

/** A folder that one process keeps its memory in. */
export interface FolderCheck {
  /** `state directory`. */
  readonly name: string;
  /** `--state-dir`. */
  readonly flag: string;
  readonly path: string;
  /** Database in it that is locked while it is in use. */
  readonly lockFile: string;
  /** `runner`, `coordinator`. */
  readonly user: string;
  /** Bytes below which nothing is taken; the flag that says so. */
  readonly minFree: number;
}

/** Is it a folder this user may write, with space, that nobody else uses? A folder that is missing is not made. */
export function checkFolder(folder: FolderCheck): Finding[] {
  const say = findings(folder.name);
  const there = nearest(folder.path);
  const fault = whyUnusable(there, there === folder.path);
  if (fault !== null) {
    return [say.failed(`${folder.path}: ${fault}`, `Give a folder that this user may write with ${folder.flag}.`)];
  }
  const free = freeBytes(there);
  if (free < folder.minFree) {
    const text = `${folder.path}: ${sizeText(free)} are free, ${sizeText(folder.minFree)} are needed before a job is taken`;
    return [say.failed(text, "Free some space there, or ask for less with --min-free.")];
  }
  if (inUse(join(folder.path, folder.lockFile))) {
    const text = `${folder.path}: in use by a ${folder.user} that runs now`;
    return [say.warning(text, `Fine if that one is meant; a second ${folder.user} needs a ${folder.flag} of its own.`)];
  }
  const made = there === folder.path ? "writable" : "will be made";
  return [say.ok(`${folder.path}: ${made}, ${sizeText(free)} free`)];
}

/** The folder itself, or the closest one above it that exists. */
function nearest(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : nearest(dirname(path));
}

function whyUnusable(path: string, itself: boolean): string | null {
  try {
    if (!statSync(path).isDirectory()) return itself ? "it is a file" : `${path} is a file`;
    accessSync(path, constants.W_OK | constants.X_OK);
    // Root may do everything, but not write to a read-only or full file system: only a byte tells.
    if (itself) probe(path);
    return null;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    return WORDS[code] ?? reasonOf(error);
  }
}

const WORDS: Readonly<Record<string, string>> = {
  EACCES: "this user may not write there",
  EROFS: "the file system is read-only",
  ENOSPC: "no space is left",
  EDQUOT: "the quota is used up",
};

function probe(folder: string): void {
  const file = join(folder, `.probe-${process.pid}`);
  try {
    writeFileSync(file, "x", { mode: 0o600 });
  } finally {
    rmSync(file, { force: true });
  }
}

/** A read is enough to meet the exclusive lock; nothing is written. */
function inUse(file: string): boolean {
  if (!existsSync(file)) return false;
  let db: Database | null = null;
  try {
    db = new Database(file, { readonly: true });
    db.run("pragma busy_timeout = 0");
    db.query("select count(*) from sqlite_master").get();
    return false;
  } catch (error) {
    return /locked|busy/i.test(reasonOf(error));
  } finally {
    db?.close();
  }
}
