import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
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
  /** Why it has no session, where that is known: a line for people. It is the less trusted half that writes it. */
  waits: z
    .string()
    .max(500)
    .regex(/^\P{C}*$/u)
    .optional()
    .catch(undefined),
});
export type Presence = z.infer<typeof presence>;

const fileOf = (stateDir: string) => join(stateDir, "process.json");

/** To be called by the one who holds the state directory. A full disk is no reason not to work. */
export function writePresence(stateDir: string, how: Omit<Presence, "pid" | "startTime" | "bootId">): void {
  const own = identify(process.pid);
  if (own === null) return;
  const before = presenceOf(stateDir);
  // Once told to end it stays so, whatever becomes of its session.
  const draining = how.draining || (before?.pid === own.pid && before.draining);
  const aside = `${fileOf(stateDir)}.${process.pid}`;
  try {
    writeFileSync(aside, JSON.stringify({ ...own, ...how, draining }), { mode: 0o600 });
    renameSync(aside, fileOf(stateDir));
  } catch {
    rmSync(aside, { force: true });
  }
}

/** Of its session, for people. */
export const sessionWords = (found: Presence | null): string =>
  found?.ready ? "connected" : (found?.waits ?? "not connected yet");

export function removePresence(stateDir: string): void {
  rmSync(fileOf(stateDir), { force: true });
}

/** The living process of a state directory; null: there is none. */
export function presenceOf(stateDir: string): Presence | null {
  const found = readPresence(stateDir);
  return found !== null && isSame(found) ? found : null;
}

/**
 * The same where the process lives in a container: it knows its pid there, the answer has that of this machine. What was
 * found once is asked for first, because the search goes through all processes.
 */
export function containedPresence(stateDir: string): () => Presence | null {
  let known: number | null = null;
  return () => {
    const found = readPresence(stateDir);
    if (found === null) return null;
    const here = (pid: number) => isSame({ ...found, pid }) && pidWithin(pid) === found.pid;
    if (known === null || !here(known)) known = numbersIn("/proc").find(here) ?? null;
    return known === null ? null : { ...found, pid: known };
  };
}

/** Ends of a runner whose container goes on, because the first process in it starts the runner again. */
export interface Lives {
  /** Who lives there; what is seen here is what is counted. */
  look(): Presence | null;
  ends(): number;
  reset(): void;
}

export function countLives(presence: () => Presence | null): Lives {
  let met: string | null = null;
  let ends = 0;
  return {
    look() {
      const found = presence();
      const life = found && `${found.pid} ${found.startTime}`;
      if (life !== null && met !== null && met !== life) ends++;
      met = life ?? met;
      return found;
    },
    ends: () => ends,
    reset() {
      met = null;
      ends = 0;
    },
  };
}

function readPresence(stateDir: string): Presence | null {
  try {
    return presence.parse(JSON.parse(readSmallFile(fileOf(stateDir))));
  } catch {
    return null;
  }
}

/** What a process is called in the innermost name space that it lives in. */
function pidWithin(pid: number): number | null {
  try {
    const [, last] = /^NSpid:.*?(\d+)\s*$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return last === undefined ? null : Number(last);
  } catch {
    return null;
  }
}

function numbersIn(folder: string): number[] {
  try {
    return readdirSync(folder).map(Number).filter(Number.isInteger);
  } catch {
    return [];
  }
}
