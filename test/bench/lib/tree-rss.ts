import { readdirSync, readFileSync } from "node:fs";
import { rssMiB } from "./processes.ts";

const SAMPLE_MS = 20;

/** The highest resident memory of a process and everything below it, together, until `stop` is called; MiB, every 20 ms. */
export function watchTreeRss(root: number): { stop(): number } {
  let peak = 0;
  let before = new Set<number>();
  const sample = () => {
    const pids = below(root);
    // Between vfork and exec a child shows its parent's memory as its own: one counts from its second sample on.
    const sum = pids.reduce((total, pid) => total + (pid === root || before.has(pid) ? rssMiB(pid) || 0 : 0), 0);
    before = new Set(pids);
    if (sum > peak) peak = sum;
  };
  sample();
  const timer = setInterval(sample, SAMPLE_MS);
  return {
    stop: () => {
      clearInterval(timer);
      return peak;
    },
  };
}

/** The process itself first, then all that descend from it. */
function below(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(below)];
}

/** Of every thread: any of them may have started it. Nothing for a process that is gone. */
function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").split(" ").filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}
