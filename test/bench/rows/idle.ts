import { compileHello } from "../floor/compile-hello.ts";
import { countingProxy } from "../lib/counting-proxy.ts";
import { createRunner, online, spawnRunner, startCoordinator } from "../lib/plane.ts";
import { type Bed, freePort, makeBed, rssMiB } from "../lib/processes.ts";
import { atMost, type Row } from "../lib/row.ts";

const IDLE_MS = 60_000;
/** Pairs that idle at the same time; more would only cost memory. */
const MOST_PAIRS = 10;

/** What it costs to wait for work. Every run is a pair of its own; a group of pairs waits through the same minute. */
export const idle: Row = {
  name: "idle",
  why: "About 27 MiB are Bun itself (pages of its program file, as the floor shows; those that only the start needed are given back after 20 s) and 14 MiB more of it are touched by HTTP, SQLite and the JIT compiler; what is left is the program: its bytecode (5 MiB) and its heap (13 MiB), of which zod's schemas and Kysely are the larger part.",
  async measure({ binary, runs, say }) {
    const bed = makeBed();
    try {
      const hello = await compileHello(bed);
      const measured = {
        runner: [] as number[],
        coordinator: [] as number[],
        hello: [] as number[],
        rate: [] as number[],
      };
      for (let from = 0; from < runs; from += MOST_PAIRS) {
        const names = Array.from({ length: Math.min(MOST_PAIRS, runs - from) }, (_, i) => `idle-${from + i}`);
        const pairs = [];
        for (const name of names) pairs.push(await startPair(bed, binary, hello, name));
        say(`idle: ${pairs.length} pairs wait a minute`);
        await Bun.sleep(IDLE_MS);
        const counts = pairs.map((pair) => pair.proxy.count());
        measured.runner.push(...pairs.map((pair) => rssMiB(pair.runner.pid)));
        measured.coordinator.push(...pairs.map((pair) => rssMiB(pair.coordinator.pid)));
        measured.hello.push(...pairs.map((pair) => rssMiB(pair.hello.pid)));
        await Bun.sleep(IDLE_MS);
        measured.rate.push(...pairs.map((pair, i) => pair.proxy.count() - (counts[i] ?? 0)));
        await Promise.all(pairs.map((pair) => pair.stop()));
      }
      const floor = { what: "a compiled Bun program that serves hello, after the same minute", values: measured.hello };
      const memory = (what: string, values: readonly number[]) => ({
        what,
        unit: "MiB" as const,
        values,
        floor,
        goals: [atMost("median ≤ 64 MiB", "median", 64)],
        how: "VmRSS 60 s after the runner was online, nothing done.",
      });
      return [
        memory("idle memory of the runner", measured.runner),
        memory("idle memory of the coordinator", measured.coordinator),
        {
          what: "idle requests, native",
          unit: "/min",
          values: measured.rate,
          floor: null,
          goals: [atMost("every run ≤ 4/min", 1, 4)],
          how: "requests of the runner in the second minute, counted by an HTTP proxy in front of the coordinator; a claim is held 25 s.",
        },
      ];
    } finally {
      await bed.end();
    }
  },
};

async function startPair(bed: Bed, binary: string, helloBinary: string, name: string) {
  const coordinator = await startCoordinator(bed, binary, `data-${name}`);
  const proxy = countingProxy(coordinator.url);
  const identity = await createRunner(coordinator, name);
  const runner = spawnRunner(bed, coordinator, identity, { binary, name, url: proxy.url });
  await online(coordinator, identity.id);
  const hello = bed.spawn([helloBinary, String(freePort())]);
  const stop = async () => {
    await Promise.all([runner, coordinator.proc, hello].map((proc) => proc.stop()));
    proxy.stop();
  };
  return { coordinator: coordinator.proc, runner, hello, proxy, stop };
}
