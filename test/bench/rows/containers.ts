import { startPodman } from "../../bed/engines.ts";
import { succeeded } from "../lib/beside.ts";
import { liveEvents } from "../lib/live-events.ts";
import { startCoordinator, startRunner } from "../lib/plane.ts";
import { makeBed } from "../lib/processes.ts";
import { overFloor, type Row } from "../lib/row.ts";

const JOBS = 20;
/** Long beside what starting one takes: jobs that waited for each other would take 20 times as long. */
const SLEEP_S = 10;
const IMAGE = "localhost/bb:1";
const JOB = { type: "container", name: "bench", spec: { image: IMAGE, command: ["sleep", String(SLEEP_S)] } };

/** Many container jobs at once over as many bare `podman run` at once. */
export const containers: Row = {
  name: "containers",
  why: "The engine is started five times where `run` is one, for each of the 20 jobs: on few cores these wait for each other. No job does: all of them sleep at the same time.",
  async measure({ binary, runs, say }) {
    const engine = await startPodman();
    const bed = makeBed();
    try {
      const coordinator = await startCoordinator(bed, binary);
      const flags = ["--concurrency", `containers=${JOBS}`];
      await startRunner(bed, coordinator, { binary, name: "containers", flags, env: engine.env });
      const events = await liveEvents(coordinator);
      const ours: number[] = [];
      const bare: number[] = [];
      // Each takes half a minute; a few say what there is to say.
      for (let run = 0; run < Math.min(runs, 5); run++) {
        const theirs = await timed(async () => {
          const one = `podman run --rm --network=none --log-driver=none ${IMAGE} sleep ${SLEEP_S} &`;
          const child = bed.spawn(["sh", "-c", `${`${one}\n`.repeat(JOBS)}wait`], engine.env);
          if ((await child.exited) !== 0) throw new Error(`the bare run failed: ${child.output()}`);
        });
        let ids: string[] = [];
        const mine = await timed(async () => {
          ids = await Promise.all(Array.from({ length: JOBS }, () => coordinator.operator.submit(JOB)));
          await Promise.all(ids.map((id) => succeeded(events, id)));
        });
        await Promise.all(ids.map((id) => events.of(id, "cleanup")));
        bare.push(theirs);
        ours.push(mine);
        say(`containers: run ${run + 1}: ${mine.toFixed(1)} s, bare ${theirs.toFixed(1)} s`);
      }
      return [
        {
          what: `${JOBS} container jobs at once`,
          unit: "s",
          values: ours,
          floor: { what: `${JOBS} \`podman run --rm\` of the same at once`, values: bare },
          goals: [overFloor(`median ≤ ${JOBS / 2} s over the floor (0.5 s a job)`, JOBS / 2)],
          how: `from sending the first of ${JOBS} POSTs, each of a container that sleeps for ${SLEEP_S} s (--concurrency containers=${JOBS}), until the last \`finished\` is read from the live event stream; at most 5 runs. One after the other they would take ${JOBS * SLEEP_S} s.`,
        },
      ];
    } finally {
      await bed.end();
      await engine.end();
    }
  },
};

async function timed(work: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1_000;
}
