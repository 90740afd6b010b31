import { rmSync } from "node:fs";
import { presenceOf } from "../../../internal/runner/supervisor/presence.ts";
import { releasesOfTheRun, startUpdateBed, type UpdateBed } from "../../e2e/update/update-bed.ts";
import { strangersBelow } from "../../faults/lib/processes.ts";
import { createOperator } from "../../lib/operator.ts";
import { compileHello } from "../floor/compile-hello.ts";
import { type LiveEvents, liveEvents } from "../lib/live-events.ts";
import { answers } from "../lib/plane.ts";
import { type Bed, freePort, makeBed, type Proc, until } from "../lib/processes.ts";
import { atMost, type Row } from "../lib/row.ts";

const VERSIONS = ["2.0.0", "1.0.0"] as const;
const EVERY = { everyMs: 1 };

/** Milliseconds. */
interface Gap {
  /** From the begin of the old one's drain. */
  readonly ready: number;
  /** From its end: one that drains may still be given a job by the claim it holds, and does it. */
  readonly started: number;
}

/** How long nobody works while a version is replaced. */
export const update: Row = {
  name: "update",
  why: "The supervisor sees the end of the old runner within 100 ms, writes its journal and the links to the disk, and starts the new one.",
  async measure({ runs, say }) {
    const host = await startUpdateBed(releasesOfTheRun());
    const release = endWithUs(host);
    const bed = makeBed();
    try {
      host.keep();
      await runsOf(host, "1.0.0");
      const adminKey = host.control.admin().RUNNER_ADMIN_KEY ?? "";
      const operator = createOperator({ url: host.control.url, adminKey });
      const events = await liveEvents({ open: () => operator.raw("/events/stream") });
      const submit = () => operator.submit({ type: "noop", name: "bench" }, { runner: host.runnerId });
      const hello = await startHello(bed);
      const gaps: Gap[] = [];
      const bare: number[] = [];
      for (let run = -1; run < runs; run++) {
        const floor = await hello.again();
        const gap = await updated(host, { to: VERSIONS[(run + 1) % 2] ?? "2.0.0", events, submit });
        if (run < 0) continue;
        bare.push(floor);
        gaps.push(gap);
        say(`update: run ${run + 1}: ready after ${gap.ready.toFixed(0)} ms`);
      }
      await events.close();
      const floor = {
        what: "a compiled Bun program that serves hello: SIGTERM, its end, started again, until its first answer",
        values: bare,
      };
      return [
        {
          what: "update by mng: downtime",
          unit: "ms",
          values: gaps.map(({ ready }) => ready),
          floor,
          goals: [atMost("median ≤ 2,000 ms", "median", 2_000)],
          how: "without a job, mng with its own process manager (no systemd), `mng update` forth and back between two signed releases of this tree (the coordinator runs from its sources): from the moment the old runner drains until the new one is connected and has taken up what the old one had, looked at every millisecond. The reference stops its runner first, removes every image and pulls the new one before it starts it; no figure is published, and its supervisor looks every 15 s.",
        },
        {
          what: "update by mng: next job started",
          unit: "ms",
          values: gaps.map(({ started }) => started),
          floor,
          goals: [],
          how: "the same updates: a no-op is queued when the old runner has ended; from then until its `in-progress` is read from the live event stream.",
        },
      ];
    } finally {
      release();
      await bed.end();
      await host.end();
    }
  },
};

interface Updating {
  readonly to: string;
  readonly events: LiveEvents;
  readonly submit: () => Promise<string>;
}

/** One update to its end: mng itself is of the new version too. */
async function updated(host: UpdateBed, { to, events, submit }: Updating): Promise<Gap> {
  const [old, pid] = [host.connected(), host.runnerPid()];
  const asked = host.cli("update", to);
  await until("the old runner drains", () => host.connected() !== old, EVERY);
  const drains = performance.now();
  await until("the old runner has ended", () => host.runnerPid() !== pid, EVERY);
  const ended = performance.now();
  const job = submit();
  await until(`${to} is connected`, () => host.connected() === to, EVERY);
  const ready = performance.now() - drains;
  const started = (await events.of(await job, "in-progress")).seenAt - ended;
  const { code, stdout, stderr } = await asked;
  if (code !== 0) throw new Error(`mng update ${to}: ${code} ${stdout}${stderr}`);
  await runsOf(host, to);
  return { ready, started };
}

const runsOf = (host: UpdateBed, version: string) =>
  until(`runner and mng are ${version}`, () => {
    const mng = presenceOf(host.bed.path("state/mng"));
    return mng?.ready && mng.version === version && host.connected() === version && host.journal().open === null;
  });

async function startHello(bed: Bed): Promise<{ readonly again: () => Promise<number> }> {
  const program = await compileHello(bed);
  const port = freePort();
  const start = async (): Promise<Proc> => {
    const proc = bed.spawn([program, String(port)]);
    await until("hello answers", () => answers(`http://127.0.0.1:${port}/`), EVERY);
    return proc;
  };
  let proc = await start();
  return {
    async again() {
      const began = performance.now();
      await proc.stop();
      proc = await start();
      return performance.now() - began;
    },
  };
}

/** The runner of mng has a session of its own: a benchmark that is stopped takes it along. */
function endWithUs({ bed }: UpdateBed): () => void {
  const end = () => {
    for (const line of strangersBelow(bed.root, [process.pid])) {
      try {
        process.kill(Number.parseInt(line, 10), "SIGKILL");
      } catch {
        // ended by itself
      }
    }
    rmSync(bed.root, { recursive: true, force: true });
  };
  process.once("exit", end);
  return () => void process.off("exit", end);
}
