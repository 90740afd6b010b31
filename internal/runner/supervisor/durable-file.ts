import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { syncFolder } from "./layout.ts";

/** Writes a small file of root's (0600), whole before and after a power cut. Throws what the file system throws. */
export function writeDurable(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const aside = `${path}.${process.pid}`;
  try {
    const fd = openSync(aside, "w", 0o600);
    try {
      // Not writeSync, which writes a part of it and says so to nobody when the disk is nearly full.
      writeFileSync(fd, text);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(aside, path);
  } catch (error) {
    rmSync(aside, { force: true });
    throw error;
  }
  syncFolder(dirname(path));
}
