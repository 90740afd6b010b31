import { startBareQueue } from "../floor/bare-queue.ts";
import { type LiveEvents, liveEvents } from "../lib/live-events.ts";
import { startCoordinator, startRunner } from "../lib/plane.ts";
import { makeBed } from "../lib/processes.ts";
import { atMost, type Row } from "../lib/row.ts";

const NOOP = { type: "noop", name: "bench" };
/** Jobs before the first that counts: what is compiled and connected once. */
const WARM_UP = 10;

interface Timing {
  readonly started: number;
  readonly finished: number;
}

/** queued → started → finished of a job without work. */
export const latency: Row = {
  name: "latency",
  why: "Two commits are fsynced before a job starts (the job, then its claim) and one more before it is finished; where the disk is slower than 2 ms an fsync, most of the time is the disk's, as the floor shows.",
  async measure({ binary, runs, say }) {
    const bed = makeBed();
    try {
      const coordinator = await startCoordinator(bed, binary);
      await startRunner(bed, coordinator, { binary, name: "latency" });
      const ours = await liveEvents(coordinator);
      const bare = await startBareQueue(bed);
      bare.runner(1);
      const floor = await liveEvents(bare);
      const mine: Timing[] = [];
      const theirs: Timing[] = [];
      for (let run = -WARM_UP; run < runs; run++) {
        const one = await timed(ours, () => coordinator.operator.submit(NOOP));
        const other = await timed(floor, () => bare.submit(1));
        if (run < 0) continue;
        mine.push(one);
        theirs.push(other);
      }
      say(`latency: ${mine.length} runs`);
      const floorText = "the same requests and one fsynced write per commit between two bare Bun processes";
      return [
        {
          what: "queued → started, native",
          unit: "ms",
          values: mine.map((timing) => timing.started),
          floor: { what: floorText, values: theirs.map((timing) => timing.started) },
          goals: [atMost("median ≤ 5 ms", "median", 5), atMost("p99 ≤ 25 ms", 0.99, 25)],
          how: "from sending the POST that submits a no-op until `in-progress` is read from the live event stream, by the clock of the client; both ways of HTTP are in it.",
        },
        {
          what: "no-op queued → finished",
          unit: "ms",
          values: mine.map((timing) => timing.finished),
          floor: { what: floorText, values: theirs.map((timing) => timing.finished) },
          goals: [atMost("median ≤ 20 ms", "median", 20)],
          how: "the same, until `finished` is read.",
        },
      ];
    } finally {
      await bed.end();
    }
  },
};

async function timed(events: LiveEvents, submit: () => Promise<string>): Promise<Timing> {
  const sent = performance.now();
  const id = await submit();
  const started = await events.of(id, "in-progress");
  const finished = await events.of(id, "finished");
  // The cleanup report and the next held claim are not in the way of the next run.
  await Bun.sleep(10);
  return { started: started.seenAt - sent, finished: finished.seenAt - sent };
}
