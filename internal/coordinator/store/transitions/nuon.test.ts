import { describe, expect, test } from "bun:test";
import type { Store } from "../store.ts";
import { newRunner, submit, testStore, timeline } from "../test-store.ts";
import { cancelJob } from "./cancel.ts";
import { reserveJob } from "./claim.ts";
import { patchExecution } from "./nuon-progress.ts";
import { NUON_INSTANCE, nuonBeat, nuonSign } from "./nuon-session.ts";
import { tick } from "./tick.ts";

const SECOND = 1_000;

function working(store: Store, over: Parameters<typeof submit>[1] = {}, clientVersion = "runner:1.0.0") {
  const runnerId = newRunner(store, "go");
  nuonSign(store, runnerId, { group: over.group ?? "operations", process: "install" });
  const jobId = submit(store, over);
  const reserved = reserveJob(store, { runnerId, jobId, instanceId: NUON_INSTANCE, clientVersion });
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
    for (let beats = 1; beats <= 3; beats++) {
      advance(5 * SECOND);
      for (const process of ["mng", "install"]) nuonBeat(store, runnerId, { process, aliveMs: beats * 2 * SECOND });
      store.runners.touch(runnerId);
      tick(store);
    }
    expect(store.sql.job.get(jobId)).toMatchObject({ status: "queued", attempts: 1 });
    expect(timeline(store, jobId).at(-1)).toBe("queued");
    nuonSign(store, runnerId, { group: "operations" });
    tick(store);
    expect(store.sql.job.get(jobId)?.status).toBe("available");
  });

  test("of ours on this dialect keeps its job over a restart", () => {
    const { store, advance } = testStore();
    const { runnerId, jobId } = working(store, {}, "runner:1.0.0/a-nonce");
    for (let beats = 1; beats <= 6; beats++) {
      advance(5 * SECOND);
      nuonBeat(store, runnerId, { process: "install", aliveMs: SECOND });
      tick(store);
    }
    expect(store.sql.job.get(jobId)?.status).toBe("in-progress");
  });

  test("keeps its job when a second process with its id is started", () => {
    const { store, advance } = testStore();
    const { runnerId, jobId } = working(store);
    for (let beats = 1; beats <= 6; beats++) {
      advance(5 * SECOND);
      nuonBeat(store, runnerId, { process: "install", aliveMs: 60 * SECOND + beats * 5 * SECOND });
      nuonBeat(store, runnerId, { process: "install", aliveMs: SECOND });
      tick(store);
    }
    expect(store.sql.job.get(jobId)?.status).toBe("in-progress");
  });

  test("without a heart beat for more than 15 s has lost its job", () => {
    const { store, advance } = testStore();
    const { jobId } = working(store);
    advance(14 * SECOND);
    tick(store);
    expect(store.sql.job.get(jobId)?.status).toBe("in-progress");
    advance(2 * SECOND);
    tick(store);
    expect(store.sql.job.get(jobId)).toMatchObject({ status: "failed" });
  });

  test("is offered nothing after a cancel until the loop of that job asks for work again", () => {
    const { store } = testStore();
    const { runnerId, jobId } = working(store, { group: "deploy", type: "noop-deploy" });
    nuonSign(store, runnerId, { group: "operations" });
    cancelJob(store, { jobId, by: "admin", reason: "" });
    const next = submit(store);
    expect(store.sql.job.get(next)).toMatchObject({ status: "queued", reason: "group_busy" });
    nuonSign(store, runnerId, { group: "operations" });
    tick(store);
    expect(store.sql.job.get(next)).toMatchObject({ status: "queued", reason: "group_busy" });
    nuonSign(store, runnerId, { group: "deploy" });
    tick(store);
    expect(store.sql.job.get(next)?.status).toBe("available");
  });

  test("that polls a group no more is offered nothing of it", () => {
    const { store, advance } = testStore();
    const runnerId = newRunner(store, "go");
    for (const group of ["deploy", "operations"] as const) nuonSign(store, runnerId, { group });
    for (let polls = 0; polls < 8; polls++) {
      advance(5 * SECOND);
      nuonSign(store, runnerId, { group: "operations" });
    }
    const job = submit(store, { group: "deploy", type: "noop-deploy" });
    expect(store.sql.job.get(job)).toMatchObject({ status: "queued", reason: "no_compatible_runner" });
  });

  test("may name its process with any word, those of an object's inside too", () => {
    const { store } = testStore();
    const { runnerId } = working(store);
    for (const process of ["__proto__", "constructor", "toString", ""]) {
      expect(nuonSign(store, runnerId, { process, version: process })).toBe(true);
      nuonBeat(store, runnerId, { process, aliveMs: 0 });
      expect(store.runners.get(runnerId)?.session?.row.mode).toBe("all");
    }
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
