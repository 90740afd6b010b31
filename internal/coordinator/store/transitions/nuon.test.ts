import { describe, expect, test } from "bun:test";
import type { Store } from "../store.ts";
import { newRunner, submit, testStore, timeline } from "../test-store.ts";
import { reserveJob } from "./claim.ts";
import { patchExecution } from "./nuon-progress.ts";
import { NUON_INSTANCE, nuonBeat, nuonSign } from "./nuon-session.ts";
import { tick } from "./tick.ts";

const SECOND = 1_000;

function working(store: Store, over: Parameters<typeof submit>[1] = {}) {
  const runnerId = newRunner(store, "go");
  nuonSign(store, runnerId, { group: over.group ?? "operations", process: "install" });
  const jobId = submit(store, over);
  const reserved = reserveJob(store, { runnerId, jobId, instanceId: NUON_INSTANCE, clientVersion: "" });
  if (!reserved.ok) throw new Error(reserved.error.message);
  return { runnerId, jobId, execution: reserved.value.execution };
}

describe("a Go runner", () => {
  test("that beats keeps its job for as long as the execution may take", () => {
    const { store, advance } = testStore();
    const { runnerId, jobId } = working(store);
    for (let beats = 1; beats <= 40; beats++) {
      advance(5 * SECOND);
      store.runners.touch(runnerId);
      nuonBeat(store, runnerId, { process: "install", aliveMs: 100 * SECOND + beats * 5 * SECOND });
      tick(store);
    }
    expect(store.sql.job.get(jobId)?.status).toBe("in-progress");
  });

  test("that was started anew has lost its job", () => {
    const { store, advance } = testStore();
    const { runnerId, jobId } = working(store, { maxExecutions: 2 });
    advance(30 * SECOND);
    nuonBeat(store, runnerId, { process: "mng", aliveMs: 5 * SECOND });
    expect(store.sql.job.get(jobId)?.status).toBe("in-progress");
    nuonBeat(store, runnerId, { process: "install", aliveMs: 5 * SECOND });
    expect(store.sql.job.get(jobId)).toMatchObject({ status: "queued", reason: "lease_lost" });
  });

  test("that fell silent over an apply leaves it parked", () => {
    const { store, advance } = testStore();
    const { jobId } = working(store, { type: "terraform-deploy", group: "deploy", operation: "apply-plan" });
    advance(store.times.offline_ms + SECOND);
    tick(store);
    expect(store.sql.job.get(jobId)).toMatchObject({ status: "queued", reason: "parked" });
  });

  test("is timed out by the server's clock, and its late word changes nothing", () => {
    const { store, advance } = testStore();
    const { runnerId, jobId, execution } = working(store, { executionTimeoutMs: 20 * SECOND });
    advance(26 * SECOND);
    nuonBeat(store, runnerId, { process: "install", aliveMs: 100 * SECOND });
    tick(store);
    expect(store.sql.job.get(jobId)?.status).toBe("timed-out");
    patchExecution(store, execution.id, "finished");
    expect(store.sql.job.get(jobId)?.status).toBe("timed-out");
    expect(timeline(store, jobId)).toContain("refused:progress");
  });
});
