import { writeFileSync } from "node:fs";
import { liveEvents } from "../lib/live-events.ts";
import { startCoordinator, startRunner } from "../lib/plane.ts";
import { makeBed } from "../lib/processes.ts";
import { overFloor, type Row } from "../lib/row.ts";

const SCRIPT = 'echo "hello from $(uname -s)"';
const JOB = { type: "actions-workflow", name: "bench", spec: { steps: [{ name: "greet", run: SCRIPT }] } };
const WARM_UP = 5;

/** An action of one step over the bare step. */
export const action: Row = {
  name: "action",
  why: "The step is a shell behind a wrapper that keeps its exit code; before it come two fsynced commits and the journal's, after it the last log batch and the report.",
  async measure({ binary, runs }) {
    const bed = makeBed();
    try {
      const coordinator = await startCoordinator(bed, binary);
      await startRunner(bed, coordinator, { binary, name: "action" });
      const events = await liveEvents(coordinator);
      const script = bed.path("step.sh");
      writeFileSync(script, SCRIPT);
      const ours: number[] = [];
      const bare: number[] = [];
      for (let run = -WARM_UP; run < runs; run++) {
        const began = performance.now();
        await Bun.spawn(["sh", "-eu", script], { stdout: Bun.file(bed.path("out")), stdin: "ignore" }).exited;
        const ended = performance.now();
        const id = await coordinator.operator.submit(JOB);
        const finished = await events.of(id, "finished");
        if (run >= 0) {
          bare.push(ended - began);
          ours.push(finished.seenAt - ended);
        }
        await events.of(id, "cleanup");
        await Bun.sleep(20);
      }
      return [
        {
          what: "one-step action queued → reported",
          unit: "ms",
          values: ours,
          floor: { what: "the bare step, `sh -eu step.sh` into a file", values: bare },
          goals: [overFloor("median ≤ 30 ms over the floor", 30)],
          how: "from sending the POST that submits it until `finished` is read from the live event stream; its log is stored by then.",
        },
      ];
    } finally {
      await bed.end();
    }
  },
};
