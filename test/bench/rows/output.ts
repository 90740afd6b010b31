import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { type LiveEvents, liveEvents } from "../lib/live-events.ts";
import { type Coordinator, startCoordinator, startRunner } from "../lib/plane.ts";
import { type Bed, makeBed, rssMiB, watchRss } from "../lib/processes.ts";
import { atLeast, atMost, type Row } from "../lib/row.ts";

const BYTES = 2 ** 30;
const LINE = "2026-11-21T15:00:00Z aws_instance.web[0]: Still creating... [10s elapsed] and some more text";
const PRINT = `yes '${LINE}' | head -c ${BYTES}`;
/** After a run, so that what is idle is idle again. */
const SETTLE_MS = 2_000;

interface Measures {
  readonly stored: number;
  readonly read: number;
  readonly both: number;
  readonly runnerMiB: number;
  readonly coordinatorMiB: number;
}

/** One step that prints 1 GiB: from the tool to the coordinator's disk and back to a client, every byte the same. */
export const output: Row = {
  name: "output",
  why: "Every byte goes through the tool's file, the redactor, OTLP, HTTP and the coordinator's file, on two cores that the tool and the reading client use too.",
  async measure({ binary, runs, say }) {
    const bed = makeBed();
    try {
      const coordinator = await startCoordinator(bed, binary);
      const { proc: runner } = await startRunner(bed, coordinator, { binary, name: "output" });
      const events = await liveEvents(coordinator);
      await oneJob(coordinator, events, "echo warm-up");
      const pids = { runner: runner.pid, coordinator: coordinator.proc.pid };
      const expected = await bareWrite(bed);
      const ours: Measures[] = [];
      const floor: { stored: number; both: number; read: number }[] = [];
      for (let run = 0; run < runs; run++) {
        floor.push(await bareRun(bed));
        await Bun.sleep(SETTLE_MS);
        ours.push(await ourRun(coordinator, events, pids, expected));
        const { stored, read, runnerMiB, coordinatorMiB } = ours[run] ?? NOTHING;
        say(
          `output: run ${run + 1}: stored ${stored.toFixed(0)} MB/s, read ${read.toFixed(0)} MB/s, over idle: runner ${runnerMiB.toFixed(0)} MiB, coordinator ${coordinatorMiB.toFixed(0)} MiB`,
        );
      }
      const rate = (what: string, of: "stored" | "read" | "both", how: string, floorWhat: string) => ({
        what,
        unit: "MB/s" as const,
        values: ours.map((one) => one[of]),
        floor: { what: floorWhat, values: floor.map((one) => one[of]) },
        goals: [atLeast("≥ 60 MB/s", 60)],
        how,
      });
      const memory = (what: string, of: "runnerMiB" | "coordinatorMiB") => ({
        what,
        unit: "MiB" as const,
        values: ours.map((one) => one[of]),
        floor: null,
        goals: [atMost("≤ 64 MiB over idle", 1, 64)],
        how: "highest VmRSS, sampled every 20 ms from the submission to the last byte read back, less that before the run; the worst run counts.",
      });
      return [
        rate(
          "1 GiB printed → stored",
          "stored",
          "one action step; from sending the POST that submits it until its `cleanup` is read from the live event stream: then every byte is stored. The column p99 is the slowest run.",
          "`yes | head -c 1G | cat > file`",
        ),
        rate(
          "1 GiB read back",
          "read",
          "`GET …/logs?format=text&source=tool`, hashed while it comes.",
          "`cat file | sha256sum`",
        ),
        rate(
          "1 GiB printed → read back",
          "both",
          "both after each other; the SHA-256 must be that of the bare run.",
          "both",
        ),
        memory("1 GiB: memory of the runner", "runnerMiB"),
        memory("1 GiB: memory of the coordinator", "coordinatorMiB"),
      ];
    } finally {
      await bed.end();
    }
  },
};

const NOTHING: Measures = { stored: 0, read: 0, both: 0, runnerMiB: 0, coordinatorMiB: 0 };
const megabytesPerSecond = (ms: number) => BYTES / 1_000 / ms;

async function ourRun(
  coordinator: Coordinator,
  events: LiveEvents,
  pids: { readonly runner: number; readonly coordinator: number },
  expected: string,
): Promise<Measures> {
  const idle = { runner: rssMiB(pids.runner), coordinator: rssMiB(pids.coordinator) };
  const runner = watchRss(pids.runner);
  const watched = watchRss(pids.coordinator);
  const began = performance.now();
  const id = await oneJob(coordinator, events, PRINT);
  const stored = performance.now();
  const hash = createHash("sha256");
  const answer = await coordinator.operator.raw(`/jobs/${id}/logs?format=text&source=tool`);
  for await (const chunk of answer.body ?? []) hash.update(chunk);
  const read = performance.now();
  const found = hash.digest("hex");
  const peak = { runner: runner.stop(), coordinator: watched.stop() };
  if (found !== expected) throw new Error(`the log of ${id} is not what was printed: ${found}, not ${expected}`);
  return {
    stored: megabytesPerSecond(stored - began),
    read: megabytesPerSecond(read - stored),
    both: megabytesPerSecond(read - began),
    runnerMiB: peak.runner - idle.runner,
    coordinatorMiB: peak.coordinator - idle.coordinator,
  };
}

async function oneJob(coordinator: Coordinator, events: LiveEvents, run: string): Promise<string> {
  const spec = { steps: [{ name: "print", run }] };
  const id = await coordinator.operator.submit({ type: "actions-workflow", name: "bench", spec });
  // Its cleanup comes after the last byte of output is stored; the outcome alone may come before.
  await events.of(id, "cleanup");
  return id;
}

/** The SHA-256 of what is printed. */
async function bareWrite(bed: Bed): Promise<string> {
  const text = await shell(bed, `${PRINT} | sha256sum`);
  return text.slice(0, 64);
}

async function bareRun(bed: Bed): Promise<{ stored: number; both: number; read: number }> {
  const file = bed.path("bare");
  const began = performance.now();
  await shell(bed, `${PRINT} | cat > ${file}`);
  const stored = performance.now();
  await shell(bed, `cat ${file} | sha256sum`);
  const read = performance.now();
  rmSync(file);
  return {
    stored: megabytesPerSecond(stored - began),
    read: megabytesPerSecond(read - stored),
    both: megabytesPerSecond(read - began),
  };
}

async function shell(bed: Bed, script: string): Promise<string> {
  const child = Bun.spawn(["sh", "-c", script], { cwd: bed.root, stdout: "pipe", stdin: "ignore" });
  const text = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error(`the bare run failed: ${script}`);
  return text;
}
