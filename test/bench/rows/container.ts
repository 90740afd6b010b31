import { startPodman } from "../../bed/engines.ts";
import { beside, succeeded } from "../lib/beside.ts";
import { liveEvents } from "../lib/live-events.ts";
import { startCoordinator, startRunner } from "../lib/plane.ts";
import { makeBed } from "../lib/processes.ts";
import type { Row } from "../lib/row.ts";

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
      const { proc } = await startRunner(bed, coordinator, { binary, name: "container", env: engine.env });
      const events = await liveEvents(coordinator);
      let last = "";
      return await beside({
        bed,
        runs,
        say,
        runnerPid: proc.pid,
        name: "container",
        what: "container job by podman, queued → reported",
        floor: { what: "`podman run --rm` of the same command and image", env: engine.env },
        script: () => `exec podman run --rm --network=none --log-driver=none ${IMAGE} sh -c 'echo hello'`,
        ours: async () => {
          last = await coordinator.operator.submit(JOB);
          await succeeded(events, last);
        },
        after: async () => void (await events.of(last, "cleanup")),
        how: "from sending the POST that submits it (the image is on the machine) until `finished` is read from the live event stream.",
      });
    } finally {
      await bed.end();
      await engine.end();
    }
  },
};
