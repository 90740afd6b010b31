import { constants } from "node:fs";
import { chmod, link, lstat, mkdir, open, rm, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Ledger } from "./ledger.ts";

/** Writes below one folder. Paths must have passed the ledger. */
export interface Writer {
  folder(path: string): Promise<void>;
  /** `content` gets the open file. The mode is set whatever the umask is. */
  file(
    path: string,
    mode: number,
    content: (write: (chunk: Uint8Array) => Promise<void>) => Promise<void>,
  ): Promise<void>;
  /** A second name of a file that was written before. */
  hardLink(path: string, target: string): Promise<void>;
  /** All links of the ledger, at the end. */
  links(ledger: Ledger): Promise<void>;
}

export function createWriter(into: string): Writer {
  const ready = new Map<string, Promise<void>>();

  /** Makes the folders on the way and refuses a link among them: it would carry the write somewhere else. */
  const folder = async (path: string): Promise<void> => {
    if (path === ".") return;
    let made = ready.get(path);
    if (!made) {
      made = (async () => {
        await folder(dirname(path));
        await mkdir(join(into, path), { mode: 0o755 }).catch(async (error) => {
          if (!(await lstat(join(into, path))).isDirectory()) throw error;
        });
      })();
      ready.set(path, made);
    }
    await made;
  };

  return {
    folder,
    async file(path, mode, content) {
      await folder(dirname(path));
      const place = join(into, path);
      await rm(place, { force: true }); // a link of an interrupted run must not be written through
      const handle = await open(place, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, mode | 0o600);
      try {
        await content((chunk) => handle.writeFile(chunk));
      } finally {
        await handle.close();
      }
      await chmod(place, mode);
    },
    async hardLink(path, target) {
      await folder(dirname(path));
      await rm(join(into, path), { force: true });
      await link(join(into, target), join(into, path));
    },
    async links(ledger) {
      for (const [path, target] of ledger.links) {
        await folder(dirname(path));
        await rm(join(into, path), { force: true });
        await symlink(target, join(into, path));
      }
    },
  };
}
