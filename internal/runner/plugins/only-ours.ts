import { realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Why a file or folder cannot be trusted: somebody else than root and the user of this process could change it, or put
 * another in its place. null: nobody can. Throws when it cannot be looked at.
 */
export function changeableBy(path: string, uid: number): string | null {
  let here = realpathSync(path);
  for (let above = false; ; above = true) {
    const { mode, uid: owner } = statSync(here);
    if (owner !== 0 && owner !== uid) return `${here} belongs to another user (uid ${owner})`;
    // In a folder with the sticky bit (/tmp) others can add, but neither rename nor remove.
    const shared = (mode & 0o022) !== 0 && !(above && (mode & 0o1000) !== 0);
    if (shared)
      return `${here} can be written by ${(mode & 0o002) !== 0 ? "others" : "its group"} (mode ${octal(mode)})`;
    const parent = dirname(here);
    if (parent === here) return null;
    here = parent;
  }
}

const octal = (mode: number) => (mode & 0o7777).toString(8).padStart(4, "0");
