import type { LiveEvents } from "./live-events.ts";
import { type Bed, rssMiB } from "./processes.ts";
import { type Line, overFloor } from "./row.ts";
import { watchTreeRss } from "./tree-rss.ts";

/** A job of ours and the same work by hand, one after the other in the same loop. */
export interface Beside {
  readonly bed: Bed;
  readonly runs: number;
  readonly say: (text: string) => void;
  /** Name of the row, for progress. */
  readonly name: string;
  /** What the lines are called, such as `helm change`. */
  readonly what: string;
  readonly how: string;
  /** The bare tools: what they are called, and the shell script of a run with its environment. */
  readonly floor: { readonly what: string; readonly env: Readonly<Record<string, string>> };
  readonly script: (run: number) => string;
  readonly runnerPid: number;
  /** Submits our job and resolves when its end is seen. */
  readonly ours: (run: number) => Promise<void>;
  /** After each run, not measured: everything is as before. */
  readonly after: (run: number) => Promise<void>;
}

interface Cost {
  readonly seconds: number;
  readonly peakMiB: number;
}

/** Time and memory of both; a first pair of runs warms both up and does not count. */
export async function beside(pair: Beside): Promise<readonly Line[]> {
  const ours: Cost[] = [];
  const bare: Cost[] = [];
  const rest = rssMiB(pair.runnerPid);
  for (let run = -1; run < pair.runs; run++) {
    const theirs = await byHand(pair, run);
    const mine = await cost(pair.runnerPid, () => pair.ours(run));
    await pair.after(run);
    if (run < 0) continue;
    bare.push(theirs);
    ours.push({ ...mine, peakMiB: mine.peakMiB - rest });
    const now = `runner ${rssMiB(pair.runnerPid).toFixed(0)} MiB after it, ${rest.toFixed(0)} before all`;
    pair.say(`${pair.name}: run ${run + 1}: ${shown(mine)} (${now}); bare ${shown(theirs)}`);
  }
  const pick = (of: keyof Cost) => ({
    values: ours.map((one) => one[of]),
    floor: { what: pair.floor.what, values: bare.map((one) => one[of]) },
  });
  return [
    {
      what: pair.what,
      unit: "s",
      ...pick("seconds"),
      goals: [overFloor("median ≤ 0.5 s over the floor", 0.5)],
      how: pair.how,
    },
    {
      what: `${pair.what}: memory`,
      unit: "MiB",
      ...pick("peakMiB"),
      goals: [overFloor("median ≤ 64 MiB over the floor", 64)],
      how: "highest VmRSS of the runner and all its children together in the same runs, sampled every 20 ms, less the runner's before the first of them (started some seconds ago; its memory at rest is a row of its own, `idle`). Floor: the bare tools with their shell.",
    },
  ];
}

/** Resolves when a job or change has finished; throws when it ended in any other way. */
export async function succeeded(events: LiveEvents, id: string): Promise<void> {
  const bad = ["failed", "cancelled", "timed-out"].map(async (what) => {
    const { why } = await events.of(id, what);
    throw new Error(`${id} ${what}: ${why ?? ""}`);
  });
  await Promise.race([events.of(id, "finished"), ...bad]);
}

async function byHand(pair: Beside, run: number): Promise<Cost> {
  return cost(null, (watch) => {
    const child = pair.bed.spawn(["sh", "-ec", pair.script(run)], pair.floor.env);
    watch(child.pid);
    return child.exited.then((code) => {
      if (code !== 0) throw new Error(`the bare run failed: ${child.output()}`);
    });
  });
}

async function cost(pid: number | null, work: (watch: (pid: number) => void) => Promise<void>): Promise<Cost> {
  let watcher = pid === null ? null : watchTreeRss(pid);
  const began = performance.now();
  try {
    await work((started) => {
      watcher = watchTreeRss(started);
    });
    const seconds = (performance.now() - began) / 1_000;
    return { seconds, peakMiB: watcher?.stop() ?? Number.NaN };
  } finally {
    watcher?.stop();
  }
}

const shown = ({ seconds, peakMiB }: Cost) => `${seconds.toFixed(2)} s, ${peakMiB.toFixed(0)} MiB`;
