import type { EventDoc } from "../../../internal/protocol/operator.ts";
import { type BareQueue, startBareQueue } from "../floor/bare-queue.ts";
import { type Coordinator, createRunner, type Identity, spawnRunner, startCoordinator } from "../lib/plane.ts";
import { type Bed, makeBed, until } from "../lib/processes.ts";
import { atLeast, type Row } from "../lib/row.ts";

const JOBS = 4_000;
const CONCURRENCY = 32;
/** Requests of the submitter at once. */
const SUBMITTERS = 16;

/** No-op jobs per second through one runner and one coordinator. */
export const throughput: Row = {
  name: "throughput",
  why: "Both processes are busy all the time: on a machine of two cores the coordinator's rows and events per job and the runner's own bookkeeping share them with the measuring process.",
  async measure({ binary, runs, say }) {
    const bed = makeBed();
    try {
      const coordinator = await startCoordinator(bed, binary);
      const identity = await createRunner(coordinator, "throughput");
      const bare = await startBareQueue(bed);
      bare.runner(CONCURRENCY);
      const ours: number[] = [];
      const floor: number[] = [];
      for (let run = 0; run < runs; run++) {
        ours.push(await noopRate(bed, coordinator, identity, { binary, jobs: JOBS }));
        floor.push(await bareRate(bare));
        say(`throughput: run ${run + 1}: ${ours.at(-1)?.toFixed(0)} jobs/s, floor ${floor.at(-1)?.toFixed(0)}`);
      }
      return [
        {
          what: `no-op jobs, concurrency ${CONCURRENCY}`,
          unit: "jobs/s",
          values: ours,
          floor: {
            what: `two bare Bun processes that claim and report ${CONCURRENCY} at a time with one fsynced write each`,
            values: floor,
          },
          goals: [atLeast("≥ 1,000 jobs/s", 1_000)],
          how: `${JOBS} jobs are submitted, then the runner (\`--concurrency operations=${CONCURRENCY}\`) is started: jobs over the time between the first \`in-progress\` and the last \`finished\` event, by the coordinator's clock. The column p99 is the slowest run.`,
        },
      ];
    } finally {
      await bed.end();
    }
  },
};

export interface NoopLoad {
  readonly binary: string;
  readonly jobs: number;
  /** Of the runner. */
  readonly env?: Readonly<Record<string, string>>;
  /** Of the runner's state folder. */
  readonly name?: string;
}

/** Jobs per second of a queue that is full before the runner is started. */
export async function noopRate(
  bed: Bed,
  coordinator: Coordinator,
  identity: Identity,
  { binary, jobs, env = {}, name = "throughput" }: NoopLoad,
): Promise<number> {
  const { operator } = coordinator;
  const before = await lastSeq(coordinator);
  let left = jobs;
  const submitAll = async () => {
    while (left-- > 0) await operator.submit({ type: "noop", name: "bench" });
  };
  await Promise.all(Array.from({ length: SUBMITTERS }, submitAll));
  const flags = ["--concurrency", `operations=${CONCURRENCY}`];
  const runner = spawnRunner(bed, coordinator, identity, { binary, name, flags, env });
  // Seldom and cheap: asking costs the coordinator time that the jobs need.
  await until(
    "all jobs are finished",
    async () => {
      const newest = await operator.get<{ status: string }[]>("/jobs?limit=1&status=queued,available,in-progress");
      return newest.length === 0;
    },
    { everyMs: 250, limitMs: 120_000 },
  );
  const spans = await spanOf(coordinator, before);
  await runner.stop();
  if (spans.finished !== jobs) throw new Error(`${spans.finished} of ${jobs} jobs finished`);
  return (jobs * 1_000) / (spans.last - spans.first);
}

/** First `in-progress` and last `finished` behind `after`, by the coordinator's clock in milliseconds. */
async function spanOf({ operator }: Coordinator, after: number) {
  let seq = after;
  let first = Number.POSITIVE_INFINITY;
  let last = 0;
  let finished = 0;
  for (;;) {
    const page = await operator.get<EventDoc[]>(`/events?after=${seq}&limit=1000`);
    for (const event of page) {
      if (event.what === "in-progress") first = Math.min(first, Date.parse(event.at));
      if (event.what !== "finished") continue;
      finished++;
      last = Math.max(last, Date.parse(event.at));
    }
    const end = page.at(-1);
    if (!end) return { first, last, finished };
    seq = end.seq;
  }
}

async function lastSeq({ operator }: Coordinator): Promise<number> {
  for (let seq = 0; ; ) {
    const page = await operator.get<EventDoc[]>(`/events?after=${seq}&limit=1000`);
    const end = page.at(-1);
    if (!end) return seq;
    seq = end.seq;
  }
}

async function bareRate(bare: BareQueue): Promise<number> {
  await bare.submit(JOBS);
  return (JOBS * 1_000) / (await bare.took());
}
