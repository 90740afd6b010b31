import { describe, expect, test } from "bun:test";
import { onlineRunner, submit, testStore, timeline } from "../store/test-store.ts";
import { claimJobs, reserveJob } from "../store/transitions/claim.ts";

describe("a job that must not start any more", () => {
  const setUp = () => {
    const { store } = testStore();
    const runner = onlineRunner(store, "one");
    const id = submit(store, { name: "stale" });
    const fine = submit(store, { name: "fine" });
    store.startChecks.push((job) => (job.name === "stale" ? "stale_plan: told by the test" : null));
    return { store, runner, id, fine };
  };
  const ended = { status: "failed", reason: "stale_plan: told by the test", attempts: 0, epoch: 0 };

  test("ends when our runner would claim it, with the reason and no execution; the others are given out", () => {
    const { store, runner, id, fine } = setUp();
    const claim = { runnerId: runner, instanceId: "one-1", key: "key-claim-1", slots: { operations: 4 } };
    expect(claimJobs(store, claim).map(({ job }) => job.id)).toEqual([fine]);
    expect(store.sql.job.get(id)).toMatchObject(ended);
    expect(store.sql.executionsOfJob.all(id)).toEqual([]);
    expect(timeline(store, id)).toEqual(["queued", "available", "failed"]);
  });

  test("ends when a Go runner would reserve it, and the reservation is refused", () => {
    const { store, runner, id } = setUp();
    const refused = reserveJob(store, { runnerId: runner, jobId: id, instanceId: "nuon", clientVersion: "" });
    expect(refused).toMatchObject({ ok: false, error: { code: "illegal" } });
    expect(store.sql.job.get(id)).toMatchObject(ended);
  });
});
