import { existsSync, statSync, writeFileSync } from "node:fs";
import { BUN, ROOT, run } from "./spawn.ts";

const STAMP = `${ROOT}node_modules/.installed`;

/** Dependencies as bun.lock says; does nothing when they are there and the lock file is not newer. */
export async function ensureInstalled(): Promise<void> {
  if (existsSync(STAMP) && statSync(STAMP).mtimeMs >= statSync(`${ROOT}bun.lock`).mtimeMs) return;
  const code = await run([BUN, "install", "--frozen-lockfile", "--silent"]);
  if (code !== 0) {
    console.error("runner: the dependencies could not be installed\n  → Check that the npm registry can be reached.");
    process.exit(code);
  }
  writeFileSync(STAMP, "");
}
