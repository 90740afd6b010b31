import { type Clock, systemClock } from "../base/clock.ts";
import { readCode } from "./code-file.ts";
import { isSame, type ProcessIdentity } from "./identity.ts";
import { membersOf } from "./members.ts";
import { execPending } from "./proc.ts";

/** A tool that can be waited for and stopped, by the process that spawned it or by a later one. */
export interface ToolTarget {
  /** The wrapper, leader of the tool's session and group. null: never learned, only marks are left to find it by. */
  readonly identity: ProcessIdentity | null;
  readonly codeFile: string;
  readonly executionId: string;
}

export interface ToolExit {
  /** Exit code; 128 + n when signal n ended the tool; null when it is lost. */
  readonly code: number | null;
  /** No process of the tool lives and its code was never written: the wrapper itself was killed. */
  readonly lost: boolean;
}

export interface RunningTool extends ToolTarget {
  /** The tool's own end; a descendant that lives on and holds the output file is not waited for. Never rejects. */
  readonly ended: Promise<ToolExit>;
}

/** How often a process that is not our child is looked at, in ms. One look is one read of /proc. */
const LOOK_MS = 100;
/** Looks for which "nothing found by its marks" is doubted while some process is in its exec. */
const MAX_PENDING = 10;

/** A tool that an earlier process of ours started, found again by its identity or, without one, by its marks. */
export function attachTool(target: ToolTarget, clock: Clock = systemClock): RunningTool {
  return { ...target, ended: watch(target, clock) };
}

/** The end of our own child: `reaped` gives the wrapper's code, or null when a signal ended it. */
export async function waitChild(target: ToolTarget, reaped: Promise<number | null>): Promise<ToolExit> {
  const own = await reaped;
  const code = readCode(target.codeFile) ?? own;
  // Without either, the wrapper was killed; what it started may still work and is waited for.
  return code === null ? await watch(target, systemClock) : { code, lost: false };
}

async function watch(target: ToolTarget, clock: Clock): Promise<ToolExit> {
  const { identity, codeFile, executionId } = target;
  for (let quiet = 0; ; ) {
    if (identity === null || !isSame(identity)) {
      // Members first, then the code: when none is left, whoever writes it has written it.
      const pending = identity === null && quiet++ < MAX_PENDING && execPending();
      const members = membersOf(identity, executionId, codeFile);
      const code = readCode(codeFile);
      if (code !== null) return { code, lost: false };
      if (members.length === 0 && !pending) return { code: null, lost: true };
    }
    await clock.sleep(LOOK_MS);
  }
}
