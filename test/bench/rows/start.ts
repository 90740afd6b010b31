import { compileHello } from "../floor/compile-hello.ts";
import { answers, createRunner, spawnRunner, startCoordinator } from "../lib/plane.ts";
import { type Bed, freePort, makeBed, type Proc, until } from "../lib/processes.ts";
import { atMost, type Row } from "../lib/row.ts";

const EVERY = { everyMs: 1 };

/** From exec to the first use. */
export const start: Row = {
  name: "start",
  why: "What the floor does not have is the program itself: loading its modules and building the zod schemas and routes of every wire format; a coordinator also makes its database and keys, a runner opens its journal and its session.",
  async measure({ binary, runs }) {
    const bed = makeBed();
    try {
      const hello = await compileHello(bed);
      const ready = await startCoordinator(bed, binary, "ready");
      const times: Record<"version" | "hello" | "coordinator" | "server" | "runner", number[]> = {
        version: [],
        hello: [],
        coordinator: [],
        server: [],
        runner: [],
      };
      for (let run = -1; run < runs; run++) {
        const one = {
          hello: await toEnd(bed, [hello]),
          version: await toEnd(bed, [binary, "version"]),
          server: await toAnswer(bed, (port) => [hello, String(port)], "/"),
          coordinator: await toAnswer(bed, (port) => coordinatorAt(bed, binary, port, run), "/readyz"),
          runner: await toOnline(bed, ready, binary, run),
        };
        if (run < 0) continue;
        for (const name of Object.keys(one) as (keyof typeof one)[]) times[name].push(one[name]);
      }
      const server = { what: "a compiled Bun program that serves hello, until its first answer", values: times.server };
      return [
        {
          what: "`runner version`",
          unit: "ms",
          values: times.version,
          floor: { what: "a compiled Bun program that prints hello", values: times.hello },
          goals: [atMost("median ≤ 80 ms", "median", 80)],
          how: "from spawn to exit, stdout to a pipe.",
        },
        {
          what: "coordinator ready",
          unit: "ms",
          values: times.coordinator,
          floor: server,
          goals: [atMost("median ≤ 300 ms", "median", 300)],
          how: "from spawn in an empty data folder until `/readyz` answers 200, asked every millisecond.",
        },
        {
          what: "runner ready",
          unit: "ms",
          values: times.runner,
          floor: server,
          goals: [atMost("median ≤ 300 ms", "median", 300)],
          how: "from spawn in an empty state folder until the coordinator shows it online, asked every millisecond.",
        },
      ];
    } finally {
      await bed.end();
    }
  },
};

async function toEnd(bed: Bed, argv: readonly string[]): Promise<number> {
  const began = performance.now();
  await bed.spawn(argv).exited;
  return performance.now() - began;
}

const coordinatorAt = (bed: Bed, binary: string, port: number, run: number) => [
  ...[binary, "coordinator", "--listen", `127.0.0.1:${port}`],
  ...["--data-dir", bed.path(`data-${run}`)],
];

async function toAnswer(bed: Bed, argv: (port: number) => readonly string[], path: string): Promise<number> {
  const port = freePort();
  const url = `http://127.0.0.1:${port}${path}`;
  return timed(
    () => bed.spawn(argv(port)),
    () => until(`${url} answers`, () => answers(url), EVERY),
  );
}

type Plane = Awaited<ReturnType<typeof startCoordinator>>;

async function toOnline(bed: Bed, plane: Plane, binary: string, run: number): Promise<number> {
  const name = `start-${run + 1}`;
  const identity = await createRunner(plane, name);
  const isOnline = async () => {
    const doc = await plane.operator.get<{ contact: string }>(`/runners/${identity.id}`);
    return doc.contact === "online";
  };
  return timed(
    () => spawnRunner(bed, plane, identity, { binary, name }),
    () => until(`the runner ${name} is online`, isOnline, EVERY),
  );
}

async function timed(begin: () => Proc, ready: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  const proc = begin();
  await ready();
  const took = performance.now() - began;
  await proc.stop();
  return took;
}
