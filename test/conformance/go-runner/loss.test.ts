import { describe, expect, test } from "bun:test";
import { type GoBed, startGoBed, until } from "./lib/bed.ts";
import type { GoHandlers } from "./lib/context.ts";
import { HANDLERS } from "./lib/handlers.ts";

/** Cancel, time-out, silence and restarts, of which this runner never reports anything (5.6, 10.5, 12.1 nos. 6, 7). */
/** Works until its context ends. */
const endless: GoHandlers = {
  ...HANDLERS,
  noop: () => ({
    exec: ({ signal }) =>
      new Promise((_, reject) => {
        if (signal.aborted) reject(new Error("context canceled"));
        signal.addEventListener("abort", () => reject(new Error("context canceled")), { once: true });
      }),
  }),
};

/** Each test has a coordinator of its own: they wait long, so they wait together. */
const withBed = (work: (bed: GoBed) => Promise<void>) => async () => {
  const bed = await startGoBed();
  try {
    await work(bed);
  } finally {
    await bed.end();
  }
};

async function working(bed: GoBed, job: object = { type: "noop" }) {
  const identity = await bed.identity();
  const id = await bed.submit(job, identity.id);
  const runner = await bed.start(identity, { handlers: endless });
  await bed.reaches(id, "in-progress");
  return { identity, id, runner };
}

const terminal = ["finished", "failed", "timed-out", "cancelled", "not-attempted"];
const outcomes = async (bed: GoBed, id: string) =>
  (await bed.show(id)).events.map((event) => event.what).filter((what) => terminal.includes(what));

describe.concurrent("a job of the Go runner", () => {
  test(
    "a cancel is read by the job's monitor within its next turn, and stays the one outcome",
    withBed(async (bed) => {
      const { id, runner } = await working(bed);
      const answer = await bed.api("POST", `/jobs/${id}/cancel`, { reason: "not needed" });
      expect(answer.status).toBe(200);
      expect(await bed.show(id)).toMatchObject({ status: "cancelled", reason: "not needed" });
      await until("the runner stopped", () => runner.worked.length > 0, 5_000);
      expect(runner.worked[0]?.seen.filter((status) => status === "cancelled")).toHaveLength(1);
      expect(runner.worked[0]?.ended).toBe("dropped");
      expect(await outcomes(bed, id)).toEqual(["cancelled"]);
    }),
    30_000,
  );

  test(
    "a job that its runner never ends is timed out by the coordinator's clock, while heart beats go on",
    withBed(async (bed) => {
      const { id, runner } = await working(bed, { type: "noop", timeout: "2s" });
      const doc = await bed.reaches(id, "timed-out", 15_000);
      expect(doc.reason).toContain("execution timeout");
      await until("the runner gave up", () => runner.worked.length > 0);
      expect(runner.worked[0]?.ended).toBe("dropped");
      expect(await outcomes(bed, id)).toEqual(["timed-out"]);
    }),
    30_000,
  );

  test(
    "a runner that falls silent has lost its job after 15 s, though its loops and its monitor go on",
    withBed(async (bed) => {
      const { id, runner } = await working(bed);
      await until("it has beaten", () => runner.heartBeats.length > 0, 10_000);
      runner.stopBeating();
      const doc = await bed.reaches(id, "failed", 30_000);
      expect(doc.reason).toContain("lease_lost");
      expect(await outcomes(bed, id)).toEqual(["failed"]);
    }),
    60_000,
  );

  test(
    "a runner that falls silent for good leaves its job to another runner when another attempt is allowed",
    withBed(async (bed) => {
      const one = await bed.identity();
      const id = await bed.submit({ type: "noop", retry: { attempts: 2 } });
      const runner = await bed.start(one, { handlers: endless });
      await bed.reaches(id, "in-progress");
      runner.kill();
      const two = await bed.identity();
      await bed.start(two);
      const doc = await bed.reaches(id, "finished", 40_000);
      expect(doc.executions.map((execution) => execution.runner_id)).toEqual([one.id, two.id]);
    }),
    60_000,
  );

  test(
    "a runner that falls silent and starts anew gets other work, while its old job is lost",
    withBed(async (bed) => {
      const { identity, id, runner } = await working(bed);
      await Bun.sleep(1_000);
      runner.kill();
      const again = await bed.start(identity);
      const next = await bed.submit({ type: "noop" }, identity.id);
      expect((await bed.reaches(id, "failed", 40_000)).reason).toContain("lease_lost");
      await bed.reaches(next, "finished");
      expect(again.busy().most).toBe(1);
    }),
    60_000,
  );

  test(
    "a runner that falls silent because the coordinator is away keeps its job",
    withBed(async (bed) => {
      const { id, runner } = await working(bed);
      await until("it has beaten", () => runner.heartBeats.length > 0, 10_000);
      await bed.restart();
      await Bun.sleep(7_000);
      expect((await bed.show(id)).status).toBe("in-progress");
      expect(runner.busy().now).toBe(1);
    }),
    60_000,
  );

  test(
    "a reservation whose answer was lost is refused when it is repeated, and the job ends by the clock",
    withBed(async (bed) => {
      const identity = await bed.identity();
      const sdk = bed.sdk(identity);
      const id = await bed.submit({ type: "noop", timeout: "1s" }, identity.id);
      await until("it is offered", async () => (await sdk.jobs(identity.id, "operations")).length > 0);
      await sdk.reserve(id);
      await expect(sdk.reserve(id)).rejects.toThrow("409");
      expect(await sdk.jobs(identity.id, "operations")).toEqual([]);
      await bed.reaches(id, "timed-out", 15_000);
    }),
    30_000,
  );
});
