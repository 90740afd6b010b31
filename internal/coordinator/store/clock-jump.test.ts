import { describe, expect, test } from "bun:test";
import { absorbJump, createJumpWatch } from "./clock-jump.ts";
import { onlineRunner, submit, testStore } from "./test-store.ts";
import { claimJobs } from "./transitions/claim.ts";
import { tick } from "./transitions/tick.ts";

const HOUR_MS = 3_600_000;

function running() {
  const bed = testStore();
  const runner = onlineRunner(bed.store, "one");
  const job = submit(bed.store);
  const [grant] = claimJobs(bed.store, {
    runnerId: runner,
    instanceId: "one-1",
    key: "key-clock-1",
    slots: { operations: 1 },
  });
  if (!grant) throw new Error("nothing was granted");
  const jumped = createJumpWatch(bed.store.clock);
  const second = () => {
    bed.advance(1_000);
    const jump = jumped();
    if (jump) absorbJump(bed.store, jump);
    tick(bed.store);
  };
  const status = () => bed.store.sql.job.get(job)?.status;
  const contact = () => {
    const known = bed.store.runners.get(runner);
    return known && bed.store.runners.contact(known);
  };
  return { ...bed, second, status, contact, execution: grant.execution.id, runner };
}

describe("a clock that is set by hours", () => {
  for (const [name, ms] of [
    ["forward", 5 * HOUR_MS],
    ["back", -5 * HOUR_MS],
  ] as const) {
    test(`${name}: nothing that runs is lost or timed out, and a dead runner is still noticed in time`, () => {
      const { store, setClock, second, status, contact } = running();
      second();
      setClock(ms);
      second();
      expect([status(), contact()]).toEqual(["in-progress", "online"]);
      for (let passed = 0; passed <= store.times.offline_ms / 1_000; passed++) second();
      expect([status(), contact()]).toEqual(["failed", "offline"]);
    });
  }

  test("what happens between the change and its discovery counts as it is", () => {
    for (const ms of [5 * HOUR_MS, -5 * HOUR_MS]) {
      const { store, advance, setClock, second, contact, runner } = running();
      setClock(ms);
      advance(100);
      store.runners.touch(runner);
      const job = submit(store);
      claimJobs(store, { runnerId: runner, instanceId: "one-1", key: "key-clock-2", slots: { operations: 2 } });
      second();
      expect([store.sql.job.get(job)?.status, contact()]).toEqual(["in-progress", "online"]);
      advance(store.times.offline_ms + 1);
      expect(contact()).toBe("offline");
    }
  });

  test("a job that waits in the queue is not timed out", () => {
    const { store, setClock, second } = running();
    const waiting = submit(store, { requires: { labels: { site: "moon" } } });
    setClock(30 * HOUR_MS);
    second();
    expect(store.sql.job.get(waiting)?.status).toBe("queued");
  });

  test("an ordinary correction, and a tick that comes late, change nothing", () => {
    const { advance, setClock, store } = testStore();
    const jumped = createJumpWatch(store.clock);
    setClock(800);
    advance(40_000);
    expect(jumped()).toBeNull();
    setClock(-4_000);
    expect(jumped()).toBeNull();
    setClock(60_000);
    expect(jumped()).toEqual({ ms: 60_000, withinMs: 0 });
    expect(jumped()).toBeNull();
  });
});
