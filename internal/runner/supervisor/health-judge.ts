import type { UpdaterDeps } from "./updater.ts";

const LOOK_MS = 100;
/** A version that ends so often after its start is not waited for any longer. */
const ENDS = 3;

/** Between the order to start and what the service manager shows of it. */
const DOWN_MS = 5_000;

/**
 * Waits until the runner is ready and stays so for a while. null: it is healthy; else why not. While the control plane
 * does not answer this process either, nobody is judged: no version could be ready then.
 */
export async function judgeHealth(
  deps: Pick<UpdaterDeps, "manager" | "options" | "clock" | "reachable">,
): Promise<string | null> {
  const { manager, clock, reachable } = deps;
  const { deadlineMs, settleMs } = deps.options;
  let waited = 0;
  let downFor = 0;
  let readyPid: number | null = null;
  let readyFor = 0;
  for (let before = clock.monotonic(); ; ) {
    const { pid, ready, ends, down, text } = await manager.state();
    const now = clock.monotonic();
    const passed = now - before;
    before = now;
    if (pid !== null && ready && (readyPid === null || readyPid === pid)) {
      readyFor = readyPid === pid ? readyFor + passed : 0;
      readyPid = pid;
      if (readyFor >= settleMs) return null;
    } else {
      if (readyPid !== null) return `it was ready, but did not stay so (${text})`;
      if (ends >= ENDS) return `it ended ${ends} times before it was ready (${text})`;
      downFor = down ? downFor + passed : 0;
      if (downFor > DOWN_MS) return `it does not run (${text})`;
      if (reachable()) waited += passed;
      if (waited > deadlineMs) return `it was not ready within ${Math.round(deadlineMs / 1000)} s (${text})`;
    }
    await clock.sleep(LOOK_MS);
  }
}
