import { bootId, HAS_PROC, processFacts } from "./proc.ts";

/** Names one process for good: a pid alone is reused, with its start time and the boot it cannot be mistaken. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks after boot; empty where there is no /proc. */
  readonly startTime: string;
  /** Empty where there is no /proc. */
  readonly bootId: string;
}

/** The identity of a process, ended or not, as long as its entry exists; null when there is none. */
export function identify(pid: number): ProcessIdentity | null {
  if (!HAS_PROC) return signalable(pid) ? { pid, startTime: "", bootId: "" } : null;
  const facts = processFacts(pid);
  return facts && { pid, startTime: facts.startTime, bootId: bootId() };
}

/** Whether exactly this process still runs. A zombie does not. */
export function isSame(identity: ProcessIdentity): boolean {
  if (!HAS_PROC) return signalable(identity.pid);
  if (identity.bootId !== bootId()) return false;
  const facts = processFacts(identity.pid);
  return facts !== null && !facts.zombie && facts.startTime === identity.startTime;
}

/** Whether something with this pid (a negative one: group) can be signalled. */
export function signalable(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
