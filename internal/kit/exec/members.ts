import type { ProcessIdentity } from "./identity.ts";
import { signalable } from "./identity.ts";
import {
  bootId,
  execPending,
  HAS_PROC,
  livingProcesses,
  type ProcessFacts,
  processFacts,
  startedWith,
} from "./proc.ts";

/** Environment names every tool carries; they are how its processes are found again. */
export const MARKER = "RUNNER_EXECUTION";
export const CODE_FILE = "RUNNER_CODE";

/**
 * Pids of living processes of a tool: those of its process group or session, and those that carry the execution's
 * marker (a descendant that left the group still has it). With `codeFile` only the marked processes of that one tool
 * count, not those of another step. `identity` null: the wrapper is not known, only marks count. Never this process.
 */
export function membersOf(identity: ProcessIdentity | null, executionId: string, codeFile?: string): number[] {
  if (!HAS_PROC) return identity && signalable(-identity.pid) ? [identity.pid] : [];
  const marks = marksOf(executionId, codeFile);
  const inGroup = groupTest(identity);
  return livingProcesses()
    .filter((facts) => inGroup(facts) || startedWith(facts.pid, marks))
    .map((facts) => facts.pid);
}

/** Living processes of the group or session that the wrapper leads or led. */
export function groupMembers(identity: ProcessIdentity): number[] {
  if (!HAS_PROC) return signalable(-identity.pid) ? [identity.pid] : [];
  const leader = processFacts(identity.pid);
  if (leader && !leader.zombie && leader.startTime === identity.startTime && identity.bootId === bootId())
    return [identity.pid];
  return livingProcesses()
    .filter(groupTest(identity))
    .map((facts) => facts.pid);
}

/** Living processes with the execution's marker, whatever group they are in. */
export function markedProcesses(executionId: string): number[] {
  return membersOf(null, executionId);
}

/**
 * The wrapper of a tool whose identity was never written down: the runner died between spawn and journal. It leads its
 * session and carries both marks. null: it has ended or never started.
 */
export async function findTool(executionId: string, codeFile: string): Promise<ProcessIdentity | null> {
  const marks = marksOf(executionId, codeFile);
  for (let looks = 0; ; looks++) {
    const pending = execPending();
    const wrapper = livingProcesses().find((facts) => facts.session === facts.pid && startedWith(facts.pid, marks));
    if (wrapper) return { pid: wrapper.pid, startTime: wrapper.startTime, bootId: bootId() };
    if (!pending || looks === MAX_LOOKS) return null;
    await Bun.sleep(10);
  }
}

/** A living process that leads its session and was started with all of these `NAME=value`; null: there is none. */
export function leaderWith(entries: readonly string[]): ProcessIdentity | null {
  const found = livingProcesses().find((facts) => facts.session === facts.pid && startedWith(facts.pid, entries));
  return found === undefined ? null : { pid: found.pid, startTime: found.startTime, bootId: bootId() };
}

/** A program may blank its arguments for good: a second is enough for any exec. */
const MAX_LOOKS = 100;

function marksOf(executionId: string, codeFile: string | undefined): string[] {
  const marks = [`${MARKER}=${executionId}`];
  if (codeFile !== undefined) marks.push(`${CODE_FILE}=${codeFile}`);
  return marks;
}

/**
 * The kernel does not give a pid away while a group or session still bears its number. So when the number now belongs
 * to a younger process, or the machine was booted since, our group is gone and whoever is in it is a stranger.
 */
function groupTest(identity: ProcessIdentity | null): (facts: ProcessFacts) => boolean {
  if (!identity || identity.bootId !== bootId()) return () => false;
  const leader = processFacts(identity.pid);
  if (leader && leader.startTime !== identity.startTime) return () => false;
  const since = BigInt(identity.startTime);
  return (facts) =>
    (facts.group === identity.pid || facts.session === identity.pid) && BigInt(facts.startTime) >= since;
}
