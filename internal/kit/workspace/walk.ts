import type { Dirent, Stats } from "node:fs";
import { lstat, readdir, readFile, readlink, realpath } from "node:fs/promises";
import { dirname, isAbsolute, join, posix, relative, sep } from "node:path";
import { RunnerError, reasonOf } from "../../protocol/errors.ts";
import { type IgnoreRules, parseIgnore } from "./ignore.ts";

export interface FolderEntries {
  /** All sorted by path, relative to the root, with `/`. */
  readonly files: readonly { readonly path: string; readonly mode: number; readonly size: number }[];
  readonly links: readonly { readonly path: string; readonly target: string }[];
  /** Folders with nothing in them. */
  readonly empty: readonly string[];
}

export interface WalkOptions {
  /** Only what matches one of these globs, or lies in a folder that does. */
  readonly include?: readonly string[] | undefined;
  /** Name of the file with patterns to leave out, in the root. */
  readonly ignoreFile: string;
  readonly maxBytes: number;
  readonly maxFiles: number;
}

/** Never packed, whatever an ignore file says: history, caches and our own state. */
const ALWAYS_OUT = new Set([".git", ".terraform", ".runner"]);

/** Lists what of a folder is packed. Throws RunnerError `usage`, naming the file that cannot be. */
export async function walkFolder(root: string, options: WalkOptions): Promise<FolderEntries> {
  const top = await realpath(root).catch(() => root);
  const found = {
    files: [] as Mutable<FolderEntries["files"]>,
    links: [] as Mutable<FolderEntries["links"]>,
    empty: [] as string[],
  };
  const ignore = await readIgnore(join(top, options.ignoreFile));
  const { includes, unused } = includeTest(options.include);
  let bytes = 0;

  const visit = async (folder: string): Promise<number> => {
    let kept = 0;
    for (const entry of await list(top, folder)) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (ALWAYS_OUT.has(entry.name) || ignore.ignores(path, entry.isDirectory())) continue;
      if (entry.isDirectory()) {
        const inside = await visit(path);
        if (inside === 0 && includes(path)) found.empty.push(path);
        kept += Math.max(inside, includes(path) ? 1 : 0);
        continue;
      }
      if (!includes(path)) continue;
      kept++;
      const facts = await lstat(join(top, path)).catch(() => null);
      if (!facts) throw refusal(top, path, "vanished while it was packed, or its name is not UTF-8");
      if (facts.isSymbolicLink()) found.links.push({ path, target: await innerTarget(top, path) });
      else if (facts.isFile()) found.files.push({ path, mode: facts.mode & 0o777, size: facts.size });
      else throw refusal(top, path, `is ${kindOf(facts)}, which cannot be packed`);
      bytes += facts.isFile() ? facts.size : 0;
      checkCaps(root, bytes, found.files.length + found.links.length, options);
    }
    return kept;
  };
  await visit("");
  const [idle] = unused();
  if (idle !== undefined) {
    throw new RunnerError("usage", `include: the pattern ${JSON.stringify(idle)} matches nothing in ${root}`, {
      remedy: `Patterns count from that folder; what ${options.ignoreFile} names is left out all the same.`,
    });
  }
  const byPath = (a: { path: string }, b: { path: string }) => (a.path < b.path ? -1 : 1);
  return { files: found.files.sort(byPath), links: found.links.sort(byPath), empty: found.empty.sort() };
}

type Mutable<T extends readonly unknown[]> = T[number][];

async function list(top: string, folder: string): Promise<Dirent[]> {
  try {
    return await readdir(join(top, folder), { withFileTypes: true });
  } catch (cause) {
    const missing = cause instanceof Error && "code" in cause && (cause.code === "ENOENT" || cause.code === "ENOTDIR");
    const what = missing ? "does not exist or is not a folder" : `cannot be read: ${reasonOf(cause)}`;
    throw new RunnerError("usage", `the source folder ${join(top, folder)} ${what}`, {
      remedy: "check `source.path`; it is relative to the job file",
      cause,
    });
  }
}

async function readIgnore(path: string): Promise<IgnoreRules> {
  return parseIgnore(await readFile(path, "utf8").catch(() => ""));
}

interface Includes {
  /** A pattern that names a folder takes everything in it. */
  readonly includes: (path: string) => boolean;
  /** Patterns that nothing has matched so far. */
  readonly unused: () => readonly string[];
}

function includeTest(include: readonly string[] | undefined): Includes {
  if (include === undefined || include.length === 0) return { includes: () => true, unused: () => [] };
  const globs = include.map((pattern) => {
    const plain = pattern.replace(/^(?:\.\/+)+/, "").replace(/\/+$/, "");
    if (plain === "" || plain.startsWith("/") || plain.split("/").includes("..")) {
      throw new RunnerError("usage", `include: the pattern ${JSON.stringify(pattern)} leads out of the source folder`, {
        remedy: "Write it relative to that folder, such as modules/**.",
      });
    }
    return { pattern, glob: new Bun.Glob(plain), used: false };
  });
  const includes = (path: string) => {
    let found = false;
    for (let part = path; part !== "."; part = posix.dirname(part)) {
      for (const one of globs) {
        if (!one.glob.match(part)) continue;
        one.used = true;
        found = true;
      }
    }
    return found;
  };
  return { includes, unused: () => globs.filter(({ used }) => !used).map(({ pattern }) => pattern) };
}

/** The target of a link, relative and without detours. Throws when it leads out of the root. */
async function innerTarget(top: string, path: string): Promise<string> {
  const target = await readlink(join(top, path));
  const from = dirname(join(top, path));
  const place = isAbsolute(target) ? target : join(from, target);
  const real = await realpath(join(top, path)).catch(() => place);
  for (const end of [place, real]) {
    if (end !== top && !end.startsWith(top + sep)) {
      throw refusal(top, path, `is a link that leads out of the folder (to ${target})`);
    }
  }
  // A `..` behind a name means another place when that name is a link itself; without detours it cannot.
  if ((await realpath(place).catch(() => place)) !== real) {
    throw refusal(top, path, `is a link through another link (to ${target})`);
  }
  return relative(from, place).split(sep).join("/") || ".";
}

function kindOf(facts: Stats): string {
  if (facts.isSocket()) return "a socket";
  if (facts.isFIFO()) return "a named pipe";
  return "a device file";
}

function checkCaps(root: string, bytes: number, files: number, options: WalkOptions): void {
  const remedy = `list what the job does not need in ${options.ignoreFile}, or name what it does in \`include\``;
  if (bytes > options.maxBytes) {
    const cap = `${Math.floor(options.maxBytes / 1_048_576)} MiB`;
    throw new RunnerError("usage", `the source folder ${root} is larger than ${cap}`, { remedy });
  }
  if (files > options.maxFiles) {
    throw new RunnerError("usage", `the source folder ${root} has more than ${options.maxFiles} files`, { remedy });
  }
}

function refusal(top: string, path: string, why: string): RunnerError {
  return new RunnerError("usage", `${join(top, path)} ${why}`, {
    remedy: "remove it, or list it in .runnerignore",
  });
}
