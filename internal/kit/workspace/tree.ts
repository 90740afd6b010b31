import type { Dirent } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

export interface TreeEntry {
  /** Relative to the root, with `/`. */
  readonly path: string;
  readonly entry: Dirent;
}

/** Everything below a folder, folders before what is in them. Links are shown, never followed (`readdir` would). */
export async function* walkTree(root: string, below = ""): AsyncGenerator<TreeEntry> {
  for (const entry of await readdir(join(root, below), { withFileTypes: true })) {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    yield { path, entry };
    if (entry.isDirectory()) yield* walkTree(root, path);
  }
}
