import { type Clock, systemClock } from "../base/clock.ts";
import { signalable } from "./identity.ts";
import { groupMembers, markedProcesses, membersOf } from "./members.ts";
import { HAS_PROC } from "./proc.ts";
import { toolSettled } from "./settled.ts";
import type { ToolTarget } from "./wait-tool.ts";

/** How a tool is asked to end. Signals go to its process group. */
export interface Ladder {
  readonly first: "SIGINT" | "SIGTERM";
  readonly grace_ms: number;
  /** Sent when the grace is over, 2 s before KILL. */
  readonly last?: "SIGTERM";
}

export type Rung = "gone" | "first" | "last" | "kill";

export interface StopResult {
  /** Which rung ended it; `gone`: nothing lived when we came. */
  readonly by: Rung;
  /** Pids that not even KILL ended (in uninterruptible sleep). */
  readonly survivors: readonly number[];
}

export interface StopOptions {
  readonly clock?: Clock;
  readonly onSignal?: (signal: NodeJS.Signals, pids: readonly number[]) => void;
}

/** Time between the last polite signal and KILL, and that KILL is given to take effect. Milliseconds. */
const LAST_MS = 2_000;
const KILL_MS = 5_000;

/**
 * Stops a tool by its ladder and returns as soon as nothing of it lives. During the grace there is never a second
 * signal: terraform takes one as "stop at once" and puts its state at risk. Descendants that left the group never got
 * the first one; they get TERM once the group is gone.
 */
export async function stopTool(target: ToolTarget, ladder: Ladder, options: StopOptions = {}): Promise<StopResult> {
  const { identity, executionId } = target;
  const everything = () => membersOf(identity, executionId);
  const group = () => (identity ? groupMembers(identity) : []);
  const send = sender(options);
  if (everything().length === 0) return { by: "gone", survivors: [] };

  let by: Rung = "first";
  if (identity && group().length > 0) {
    await toolSettled(identity, options.clock);
    send.group(identity.pid, ladder.first);
    if (!(await ended(group, ladder.grace_ms, options))) {
      by = "kill";
      if (ladder.last) {
        send.group(identity.pid, ladder.last);
        if (await ended(group, LAST_MS, options)) by = "last";
      }
    }
  }
  if (by === "kill") {
    if (identity) send.group(identity.pid, "SIGKILL");
    return { by, survivors: await killAll(everything, options) };
  }
  const swept = await sweep(executionId, options);
  return { by: swept.killed ? "kill" : by, survivors: swept.survivors };
}

export interface SweepResult {
  /** Processes with the marker that were found and signalled. */
  readonly found: number;
  readonly killed: boolean;
  readonly survivors: readonly number[];
}

/** Ends every left-over process that carries the execution's marker: TERM, 2 s, KILL. */
export async function sweep(executionId: string, options: StopOptions = {}): Promise<SweepResult> {
  const marked = () => markedProcesses(executionId);
  const found = marked();
  if (found.length === 0) return { found: 0, killed: false, survivors: [] };
  sender(options).each(found, "SIGTERM");
  if (await ended(marked, LAST_MS, options)) return { found: found.length, killed: false, survivors: [] };
  return { found: found.length, killed: true, survivors: await killAll(marked, options) };
}

/** KILL until nothing is found: a process may fork while we read /proc. */
async function killAll(find: () => number[], options: StopOptions): Promise<readonly number[]> {
  const send = sender(options);
  const clock = options.clock ?? systemClock;
  const start = clock.monotonic();
  const told = new Set<number>();
  for (;;) {
    const left = find();
    if (left.length === 0) return [];
    if (clock.monotonic() - start > KILL_MS) return left;
    send.each(
      left.filter((pid) => !told.has(pid)),
      "SIGKILL",
    );
    for (const pid of left) told.add(pid);
    await clock.sleep(20);
  }
}

/** Whether nothing is found any more within the time. Looks often at first, then five times a second. */
async function ended(find: () => number[], ms: number, options: StopOptions): Promise<boolean> {
  const clock = options.clock ?? systemClock;
  const start = clock.monotonic();
  for (let pause = 5; ; pause = Math.min(pause * 2, 200)) {
    if (find().length === 0) return true;
    const left = ms - (clock.monotonic() - start);
    if (left <= 0) return false;
    await clock.sleep(Math.min(pause, left));
  }
}

function sender(options: StopOptions) {
  const deliver = (pid: number, signal: NodeJS.Signals) => {
    try {
      process.kill(pid, signal);
    } catch {
      // ended in between
    }
  };
  return {
    group(leader: number, signal: NodeJS.Signals) {
      // Callers have just seen a member; where there is no /proc the group itself is asked.
      if (!HAS_PROC && !signalable(-leader)) return;
      options.onSignal?.(signal, [-leader]);
      deliver(-leader, signal);
    },
    each(pids: readonly number[], signal: NodeJS.Signals) {
      if (pids.length === 0) return;
      options.onSignal?.(signal, pids);
      for (const pid of pids) deliver(pid, signal);
    },
  };
}
