import { readFileSync, writeFileSync } from "node:fs";

/** What the file says until the wrapper overwrites it in place with three digits. */
const OPEN = "---\n";

/**
 * Makes the exit-code file before the spawn: its block is then allocated, and a disk that fills up later cannot lose
 * the code. Throws the file system's error.
 */
export function prepareCodeFile(path: string): void {
  writeFileSync(path, OPEN, { mode: 0o600 });
}

/** The tool's exit code; null while it has not ended, or when the file is missing. */
export function readCode(path: string): number | null {
  try {
    const digits = /^(\d{3})\n/.exec(readFileSync(path, "latin1"))?.[1];
    return digits === undefined ? null : Number(digits);
  } catch {
    return null;
  }
}
