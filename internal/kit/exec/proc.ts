import { readdirSync, readFileSync } from "node:fs";

/** What /proc knows of one process; `startTime` is field 22 of stat: clock ticks since boot, as text. */
export interface ProcessFacts {
  readonly pid: number;
  readonly group: number;
  readonly session: number;
  readonly startTime: string;
  /** A zombie has ended: only its entry is left. */
  readonly zombie: boolean;
}

/** Without /proc (macOS, BSD) only signals and process groups are left to look with. */
export const HAS_PROC = process.platform === "linux";

let boot: string | undefined;

/** Changes with every boot, so that a pid of an earlier one is never taken for ours. Empty without /proc. */
export function bootId(): string {
  boot ??= (HAS_PROC ? readText("/proc/sys/kernel/random/boot_id")?.trim() : undefined) ?? "";
  return boot;
}

/** null: no such process. */
export function processFacts(pid: number): ProcessFacts | null {
  const stat = readText(`/proc/${pid}/stat`);
  if (stat === null) return null;
  // The second field is the program's name in parentheses and may itself hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const state = fields[0] ?? "";
  return {
    pid,
    group: Number(fields[2]),
    session: Number(fields[3]),
    startTime: fields[19] ?? "",
    zombie: state === "Z" || state === "X",
  };
}

/** Every process that has not ended, except this one: nothing here may ever signal the runner itself. */
export function livingProcesses(): ProcessFacts[] {
  if (!HAS_PROC) return [];
  const found: ProcessFacts[] = [];
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const facts = processFacts(pid);
    if (facts && !facts.zombie) found.push(facts);
  }
  return found;
}

/** Whether the process was started with every one of these `NAME=value` entries. false for other users' processes. */
export function startedWith(pid: number, entries: readonly string[]): boolean {
  const environ = readText(`/proc/${pid}/environ`);
  if (environ === null) return false;
  const framed = `\0${environ}\0`;
  return entries.every((entry) => framed.includes(`\0${entry}\0`));
}

/** Program and arguments, each ended by NUL; empty for what has ended or is in the middle of its exec. */
export function commandLine(pid: number): string {
  return readText(`/proc/${pid}/cmdline`) ?? "";
}

/**
 * Whether some process is in the middle of its exec. Then the kernel shows neither its arguments nor its environment
 * yet, and a search for marks that found nothing is to be repeated. (Kernel threads, of session 0, never have any.)
 */
export function execPending(): boolean {
  return livingProcesses().some(({ pid, session }) => session !== 0 && commandLine(pid) === "" && alive(pid));
}

function alive(pid: number): boolean {
  return processFacts(pid)?.zombie === false;
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null; // ended between the listing and the reading, or not ours to read
  }
}
