import { type Clock, systemClock } from "../base/clock.ts";
import { isSame, type ProcessIdentity } from "./identity.ts";
import { CODE_FILE } from "./members.ts";
import { commandLine, HAS_PROC, livingProcesses } from "./proc.ts";

/** A shell gets from its start to the tool's in a few ms; this is for a machine that is very busy. */
const PATIENCE_MS = 2_000;

/**
 * Waits until the wrapper has started its tool. A signal before that is lost: it kills the shell before its trap is
 * set, or ends in the trap while the tool is not there yet, and the tool would then work through the whole grace.
 * Returns at once for what is no wrapper of ours, or has ended.
 */
export async function toolSettled(identity: ProcessIdentity, clock: Clock = systemClock): Promise<void> {
  if (!HAS_PROC) return;
  const start = clock.monotonic();
  while (isSame(identity) && clock.monotonic() - start < PATIENCE_MS) {
    const own = commandLine(identity.pid);
    if (own !== "") {
      if (!own.includes(`"$${CODE_FILE}"`)) return;
      // Between fork and exec the child still has the command line of the shell, in its exec it has none.
      const started = livingProcesses().some(
        ({ pid, group }) => group === identity.pid && pid !== identity.pid && !["", own].includes(commandLine(pid)),
      );
      if (started) return;
    }
    await clock.sleep(5);
  }
}
