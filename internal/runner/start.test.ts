import { afterEach, describe, expect, test } from "bun:test";
import { systemClock } from "../kit/base/clock.ts";
import { silentLog } from "../kit/base/system-log.ts";
import { fail, ok, type Result, RunnerError } from "../protocol/errors.ts";
import type { Completion } from "../protocol/native.ts";
import { DEFAULT_TIMES } from "../protocol/times.ts";
import type { Announcement, ControlPlane, Granted, Work } from "./controlplane/control-plane.ts";
import type { Handler } from "./handler.ts";
import { registry } from "./handlers/registry.ts";
import { openJournal } from "./loop/journal.ts";
import { manualClock, removeFolders, scriptedPlane, tempFolder, turns, workOf } from "./loop/test-bed.ts";
import { startRunner } from "./start.ts";

afterEach(removeFolders);

const until = (signal: AbortSignal) =>
  new Promise<Result<never>>((resolve) => {
    const over = () => resolve(fail(new RunnerError("cancelled", "given up")));
    if (signal.aborted) over();
    signal.addEventListener("abort", over, { once: true });
  });

const unused = () => Promise.reject(new RunnerError("defect", "not used in this test"));

/** A runner whose control plane gives this work once, and takes reports only when it is told to. */
function bed(options: {
  readonly work?: readonly Work[];
  readonly handlers?: Readonly<Record<string, Handler>>;
  readonly taken?: boolean;
  readonly stateDir?: string;
  readonly drainTimeoutMs?: number;
  readonly connect?: ControlPlane["connect"];
  readonly claim?: ControlPlane["claim"];
  readonly realTime?: boolean;
}) {
  const clock = manualClock();
  const stateDir = options.stateDir ?? tempFolder();
  const reported: Completion[] = [];
  const announced: Announcement[] = [];
  const said: string[] = [];
  let waiting = options.work ?? [];
  const controlPlane = scriptedPlane({
    connect:
      options.connect ??
      (async (announcement) => {
        announced.push(announcement);
        const held = announcement.held.map(({ execution_id }) => ({
          execution_id,
          verdict: "continue" as const,
          reason: "",
          leaseTtlMs: 1,
        }));
        return ok({ settings: {}, times: DEFAULT_TIMES, held });
      }),
    claim:
      options.claim ??
      (async ({ waitMs }, signal): Promise<Result<Granted>> => {
        const work = waiting;
        waiting = [];
        return work.length > 0 || waitMs === 0 ? ok({ work, directives: [], after: 0 }) : until(signal);
      }),
    renew: async () => ok({ leases: [], lost: [], directives: [], after: 0 }),
    complete: async (_ref, completion, cleanup, signal) => {
      reported.push(completion);
      if (options.taken === false) return until(signal);
      await cleanup();
      return ok({ recorded: true, reason: "" });
    },
  });
  const runner = startRunner(
    {
      mode: "all",
      version: "1",
      stateDir,
      slots: { operations: 2, deploy: 1 },
      labels: {},
      drainTimeoutMs: options.drainTimeoutMs ?? null,
      minFreeBytes: 0,
      logCapBytes: 1 << 20,
      logIntervalMs: 100,
    },
    {
      controlPlane,
      handlers: { ...registry, ...options.handlers },
      tools: {
        find: unused,
        cacheDir: stateDir,
        providerMirror: null,
        env: (extra) => ({ ...extra }),
      },
      sources: () => ({ oci: unused, git: unused }),
      log: { ...silentLog, warn: (text) => void said.push(text), error: (text) => void said.push(text) },
      clock: options.realTime ? systemClock : clock,
    },
  );
  return { runner, clock, stateDir, reported, announced, said };
}

/** Works until it is stopped. */
const endless: Handler = {
  types: ["noop"],
  plan: null,
  execute: ({ signal }) =>
    new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true })),
};

describe("the end of a runner", () => {
  test("by a drain waits for the jobs that run, and reports them", async () => {
    const work = Promise.withResolvers<null>();
    const slow: Handler = { types: ["noop"], plan: null, execute: () => work.promise };
    const { runner, reported } = bed({ work: [workOf("exe1")], handlers: { noop: slow } });
    await turns();
    runner.drain("SIGTERM");
    await turns();
    expect(reported).toEqual([]);
    work.resolve(null);
    expect(await runner.ended).toBe(0);
    expect(reported.map((one) => one.status)).toEqual(["finished"]);
  });

  test("by a cancel does not wait for a control plane that is away: the outcome goes out at the next start", async () => {
    const stateDir = tempFolder();
    const first = bed({ work: [workOf("exe1")], handlers: { noop: endless }, taken: false, stateDir });
    await turns();
    first.runner.drain("SIGTERM");
    first.runner.cancel("SIGTERM again");
    await turns();
    expect(first.reported.map((one) => one.status)).toEqual(["cancelled"]);
    await first.clock.advance(30_000);
    expect(await first.runner.ended).toBe(0);
    expect(first.said).toContain("leaving with outcomes that nobody took; they go out at the next start");

    const second = bed({ stateDir });
    await second.runner.ready;
    expect(second.reported.map((one) => [one.execution_id, one.status])).toEqual([["exe1", "cancelled"]]);
    expect(second.announced[0]?.held).toEqual([]);
    second.runner.drain("the test is over");
    await second.runner.ended;
    const journal = openJournal(stateDir);
    expect(journal.executions()).toEqual([]);
    journal.close();
  });

  test("by a drain that takes too long cancels what still runs", async () => {
    const { runner, clock, reported } = bed({
      work: [workOf("exe1")],
      handlers: { noop: endless },
      drainTimeoutMs: 60_000,
    });
    await turns();
    runner.drain("SIGTERM");
    await clock.advance(59_999);
    expect(reported).toEqual([]);
    await clock.advance(1);
    expect(await runner.ended).toBe(0);
    expect(reported).toMatchObject([{ status: "cancelled", reason: "the runner's drain timeout is over" }]);
  });

  test("by a cancel stops also what was granted in that moment", async () => {
    const grant = Promise.withResolvers<Result<Granted>>();
    const { runner, reported } = bed({ handlers: { noop: endless }, claim: () => grant.promise });
    await turns();
    runner.drain("SIGTERM");
    runner.cancel("SIGTERM again");
    grant.resolve(ok({ work: [workOf("exe1")], directives: [], after: 0 }));
    expect(await runner.ended).toBe(0);
    expect(reported).toMatchObject([{ status: "cancelled", reason: "SIGTERM again" }]);
  });

  test("before it ever reached its control plane is told to whoever waits for it", async () => {
    const { runner } = bed({ connect: (_announcement, signal) => until(signal) });
    runner.drain("SIGTERM");
    expect(await runner.ended).toBe(0);
    await expect(runner.ready).rejects.toThrow("ended before it was ready");
  });

  test("by a refusal has the exit code of a refusal", async () => {
    const { runner } = bed({ connect: async () => fail(new RunnerError("refused", "no such runner")) });
    expect(await runner.ended).toBe(3);
  });
});

describe("the timeout of a job", () => {
  const DAY_NS = 86_400_000_000_000;

  test("of two months does not end it at once", async () => {
    const work = workOf("exe1");
    const long = { ...work, job: { ...work.job, execution_timeout: 60 * DAY_NS } };
    const { runner, reported } = bed({ work: [long], handlers: { noop: endless }, realTime: true });
    await Bun.sleep(50);
    expect(reported).toEqual([]);
    runner.cancel("the test is over");
    expect(await runner.ended).toBe(0);
    expect(reported).toMatchObject([{ status: "cancelled" }]);
  });

  test("counts over a restart, and is never longer than it is, should the clock have been set back meanwhile", async () => {
    const stateDir = tempFolder();
    const journal = openJournal(stateDir);
    const { job, execution } = workOf("exe1");
    const deadlineMs = Date.parse("2026-11-21T22:00:00Z"); // ten hours ahead of the clock; the limit is five minutes
    journal.writeNow(() => journal.addExecution({ ...execution, job, deadlineMs, createdMs: 0 }));
    journal.close();
    const { runner, clock, reported } = bed({ stateDir, handlers: { noop: endless } });
    await runner.ready;
    await clock.advance(5 * 60_000 - 1);
    expect(reported).toEqual([]);
    await clock.advance(1);
    expect(reported).toMatchObject([{ status: "timed-out", reason: "the job ran longer than its timeout of 300 s" }]);
    runner.drain("the test is over");
    expect(await runner.ended).toBe(0);
  });
});

describe("a start after a crash", () => {
  test("with a job of a type that this version does not know refuses that job and works on", async () => {
    const stateDir = tempFolder();
    const journal = openJournal(stateDir);
    const { job, execution } = workOf("exe1", "x-of-a-later-version");
    journal.writeNow(() =>
      journal.addExecution({ ...execution, job, deadlineMs: Date.parse("2026-12-01"), createdMs: 0 }),
    );
    journal.close();
    const { runner, reported } = bed({ stateDir });
    await runner.ready;
    await turns();
    expect(reported).toMatchObject([{ execution_id: "exe1", status: "failed" }]);
    expect(reported[0]?.reason).toContain("x-of-a-later-version is not built into this version");
    runner.drain("the test is over");
    expect(await runner.ended).toBe(0);
  });
});
