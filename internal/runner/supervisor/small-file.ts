import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";

const LIMIT = 65_536;

/**
 * A small plain file that somebody less trusted may have put there: no link is followed, no pipe waited for. Throws what
 * the file system throws.
 */
export function readSmallFile(path: string): string {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  try {
    const found = fstatSync(fd);
    if (!found.isFile() || found.size > LIMIT) throw new Error(`${path} is no small file`);
    return readFileSync(fd, "utf8");
  } finally {
    closeSync(fd);
  }
}
