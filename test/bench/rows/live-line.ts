import { readSse } from "../../lib/sse-reader.ts";
import { type Coordinator, startCoordinator, startRunner } from "../lib/plane.ts";
import { type Bed, makeBed } from "../lib/processes.ts";
import { atMost, type Row } from "../lib/row.ts";

/** Prints its own wall clock in nanoseconds, at moments that no interval of ours divides. */
const script = (lines: number) => `i=0; while [ $i -lt ${lines} ]; do date +%s%N; sleep 0.137; i=$((i+1)); done`;
const LINES_PER_RUN = 5;

/** A printed line in the live stream of a client that reads along. */
export const liveLine: Row = {
  name: "live-line",
  why: "Output is shipped at most every 250 ms (`--log-interval`).",
  async measure({ binary, runs }) {
    const bed = makeBed();
    try {
      const coordinator = await startCoordinator(bed, binary);
      await startRunner(bed, coordinator, { binary, name: "live-line" });
      const lines = runs * LINES_PER_RUN;
      const [ours, bare] = await Promise.all([ourDelays(coordinator, lines), bareDelays(bed, lines)]);
      return [
        {
          what: "line printed → in the live stream",
          unit: "ms",
          values: ours,
          floor: { what: "the same script at the same time, read from a pipe", values: bare },
          goals: [atMost("p95 ≤ 1,000 ms", 0.95, 1_000)],
          how: "a step prints its wall clock; the client reads it from the live log stream (server-sent events) and compares with its own; one run is one line.",
        },
      ];
    } finally {
      await bed.end();
    }
  },
};

const now = () => performance.timeOrigin + performance.now();
const delayOf = (text: string) => now() - Number(BigInt(text.trim()) / 1_000n) / 1_000;

async function ourDelays({ operator }: Coordinator, lines: number): Promise<number[]> {
  const spec = { steps: [{ name: "print", run: script(lines) }] };
  const id = await operator.submit({ type: "actions-workflow", name: "bench", spec });
  const reader = readSse(await operator.raw(`/jobs/${id}/logs/stream?source=tool`));
  const delays: number[] = [];
  while (delays.length < lines) {
    const message = await reader.next();
    if (message === null || message.event === "end") break;
    for (const line of JSON.parse(message.data).text.split("\n")) delays.push(delayOf(line));
  }
  await reader.close();
  return delays;
}

async function bareDelays(bed: Bed, lines: number): Promise<number[]> {
  const child = Bun.spawn(["sh", "-c", script(lines)], { cwd: bed.root, stdout: "pipe", stdin: "ignore" });
  const delays: number[] = [];
  for await (const chunk of child.stdout) {
    for (const line of Buffer.from(chunk).toString().trim().split("\n")) delays.push(delayOf(line));
  }
  return delays;
}
