import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { GENERATED, type ServiceFile } from "../../../internal/kit/service/index.ts";

/** Writes what differs, each file by a rename. The paths that changed. Throws what the file system throws. */
export function writeFiles(root: string, files: readonly ServiceFile[]): string[] {
  return files.filter((file) => writeOne(join(root, file.path), file)).map((file) => file.path);
}

function writeOne(path: string, { text, mode }: ServiceFile): boolean {
  if (textOf(path) === text && (statSync(path).mode & 0o7777) === mode) return false;
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  const aside = join(dirname(path), `.${basename(path)}.${process.pid}`);
  try {
    writeFileSync(aside, text, { mode, flush: true });
    chmodSync(aside, mode); // whatever the umask is
    renameSync(aside, path);
  } finally {
    rmSync(aside, { force: true });
  }
  return true;
}

/** null: there is no such file. */
export function textOf(path: string): string | null {
  return existsSync(path) ? readFileSync(path, "utf8") : null;
}

/** Drop-ins of ours in a folder, without `.conf`. Those that a person wrote are not ours. */
export function ownDropIns(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith(".conf") && isOurs(join(folder, name)))
    .map((name) => name.slice(0, -".conf".length))
    .sort();
}

export const isOurs = (path: string): boolean => textOf(path)?.includes(GENERATED) === true;

/** Removes those that are there and ours; folders that are empty then go too. The paths that went. */
export function removeFiles(root: string, paths: readonly string[]): string[] {
  const gone = paths.filter((path) => isOurs(join(root, path)));
  for (const path of gone) {
    rmSync(join(root, path));
    try {
      if (path.endsWith(".conf")) rmdirSync(join(root, dirname(path)));
    } catch {
      // Something of somebody else's is in it.
    }
  }
  return gone;
}
