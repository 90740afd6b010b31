import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { identify, isSame } from "../../kit/exec/index.ts";
import { readSmallFile } from "./small-file.ts";

/**
 * Who runs on a state directory: how a supervisor finds a runner again that it did not start itself. Both may be of
 * different versions: what a newer one adds is left alone.
 */
const presence = z.object({
  pid: z.number().int().positive(),
  startTime: z.string(),
  bootId: z.string(),
  version: z.string(),
  /** Its session is open, and what it had before its start is taken up again. */
  ready: z.boolean(),
  /** It was told to end: another SIGTERM would cancel its jobs. */
  draining: z.boolean(),
});
export type Presence = z.infer<typeof presence>;

const fileOf = (stateDir: string) => join(stateDir, "process.json");

/** To be called by the one who holds the state directory. A full disk is no reason not to work. */
export function writePresence(stateDir: string, how: Pick<Presence, "version" | "ready" | "draining">): void {
  const own = identify(process.pid);
  if (own === null) return;
  const aside = `${fileOf(stateDir)}.${process.pid}`;
  try {
    writeFileSync(aside, JSON.stringify({ ...own, ...how }), { mode: 0o600 });
    renameSync(aside, fileOf(stateDir));
  } catch {
    rmSync(aside, { force: true });
  }
}

export function removePresence(stateDir: string): void {
  rmSync(fileOf(stateDir), { force: true });
}

/** The living process of a state directory; null: there is none. */
export function presenceOf(stateDir: string): Presence | null {
  try {
    const found = presence.parse(JSON.parse(readSmallFile(fileOf(stateDir))));
    return isSame(found) ? found : null;
  } catch {
    return null;
  }
}
