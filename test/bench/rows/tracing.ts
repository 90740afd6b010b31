import { startSpanSink } from "../floor/span-sink.ts";
import { createRunner, startCoordinator } from "../lib/plane.ts";
import { makeBed } from "../lib/processes.ts";
import type { Goal, Row } from "../lib/row.ts";
import { median } from "../lib/stats.ts";
import { noopRate } from "./throughput.ts";

const JOBS = 10_000;

/** By the medians, in percent: how much slower than without. */
const slowerBy = (text: string, limit: number): Goal => ({
  text,
  limit,
  of: (values, floor) => (1 - median(values) / median(floor)) * 100,
});

/** No-op jobs per second with every job traced in both halves, over the same without. */
export const tracing: Row = {
  name: "tracing",
  why: "Both halves encode their spans on the cores that the jobs need, and the collector of the bench takes its share of the same two cores.",
  async measure({ binary, runs, say }) {
    const bed = makeBed();
    try {
      const sink = await startSpanSink(bed);
      const env = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${sink.url}/v1/traces` };
      const off = await startCoordinator(bed, binary, "coordinator-off");
      const on = await startCoordinator(bed, binary, "coordinator-on", env);
      const runnerOff = await createRunner(off, "off");
      const runnerOn = await createRunner(on, "on");
      const ours: number[] = [];
      const floor: number[] = [];
      for (let run = 0; run < runs; run++) {
        const plain = () => noopRate(bed, off, runnerOff, { binary, jobs: JOBS, name: "off" });
        const traced = () => noopRate(bed, on, runnerOn, { binary, jobs: JOBS, name: "on", env });
        // Each goes first every other time.
        if (run % 2 === 0) floor.push(await plain());
        ours.push(await traced());
        if (run % 2 === 1) floor.push(await plain());
        say(`tracing: run ${run + 1}: ${ours.at(-1)?.toFixed(0)} jobs/s, without ${floor.at(-1)?.toFixed(0)}`);
      }
      return [
        {
          what: "no-op jobs, every one traced",
          unit: "jobs/s",
          values: ours,
          floor: { what: "the same with nothing traced", values: floor },
          goals: [slowerBy("≤ 5 % slower", 5)],
          how: `${JOBS} jobs as in the row of throughput, by a coordinator and a runner with OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, and by a pair without; a third process takes the spans and throws them away.`,
        },
      ];
    } finally {
      await bed.end();
    }
  },
};
