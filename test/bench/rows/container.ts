import { startPodman } from "../../bed/engines.ts";
import { liveEvents } from "../lib/live-events.ts";
import { startCoordinator, startRunner } from "../lib/plane.ts";
import { makeBed } from "../lib/processes.ts";
import { overFloor, type Row } from "../lib/row.ts";

const IMAGE = "localhost/bb:1";
const COMMAND = ["sh", "-c", "echo hello"];
const JOB = { type: "container", name: "bench", spec: { image: IMAGE, command: COMMAND } };

/** A container job by podman over the bare `podman run`. */
export const container: Row = {
  name: "container",
  why: "The engine is started five times where `run` is one: is the image here, create, start, how did it end, remove (after the report).",
  async measure({ binary, runs, say }) {
    const engine = await startPodman();
    const bed = makeBed();
    try {
      const coordinator = await startCoordinator(bed, binary);
      await startRunner(bed, coordinator, { binary, name: "container", env: engine.env });
      const events = await liveEvents(coordinator);
      const ours: number[] = [];
      const bare: number[] = [];
      for (let run = -1; run < runs; run++) {
        const began = performance.now();
        engine.run("run", "--rm", "--network=none", "--log-driver=none", IMAGE, ...COMMAND);
        const ended = performance.now();
        const id = await coordinator.operator.submit(JOB);
        const { seenAt } = await events.of(id, "finished");
        if (run >= 0) {
          bare.push((ended - began) / 1_000);
          ours.push((seenAt - ended) / 1_000);
          say(`container: run ${run + 1}: ${ours.at(-1)?.toFixed(2)} s, bare ${bare.at(-1)?.toFixed(2)} s`);
        }
        await events.of(id, "cleanup");
      }
      return [
        {
          what: "container job by podman, queued → reported",
          unit: "s",
          values: ours,
          floor: { what: "`podman run --rm` of the same command and image", values: bare },
          goals: [overFloor("median ≤ 0.5 s over the floor", 0.5)],
          how: "from sending the POST that submits it (the image is on the machine) until `finished` is read from the live event stream.",
        },
      ];
    } finally {
      await bed.end();
      await engine.end();
    }
  },
};
