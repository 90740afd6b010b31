import { describe, expect, test } from "bun:test";
import { silentLog } from "../../kit/base/system-log.ts";
import { fail, ok, type Result, RunnerError } from "../../protocol/errors.ts";
import type { Renewed, Wish } from "../controlplane/control-plane.ts";
import type { StopReason } from "../handler.ts";
import type { LiveExecution } from "./execution.ts";
import { createLeaseKeeper } from "./lease-keeper.ts";
import { manualClock, scriptedPlane, turns, workOf } from "./test-bed.ts";

const RENEW_MS = 10_000;
const NOTHING: Renewed = { leases: [], lost: [], directives: [], after: 0 };

function bed(answer: (n: number) => Promise<Result<Renewed>> = async () => ok(NOTHING)) {
  const clock = manualClock();
  const live = new Map<string, LiveExecution>();
  const sent: string[][] = [];
  const stops: [string, StopReason][] = [];
  const wishes: Wish[] = [];
  const said: string[] = [];
  const going = new AbortController();
  const add = (id: string, phase = "execute") => {
    const { execution: ref, job } = workOf(id);
    live.set(id, {
      ref,
      group: "operations",
      jobType: job.type,
      startedMs: 0,
      hide: () => {},
      stop: (reason) => void stops.push([id, reason]),
      progress: () => ({ execution_id: id, epoch: 1, status: "in-progress", phase, steps: [] }),
      over: new Promise(() => {}),
      settled: new Promise(() => {}),
    });
  };
  const keeper = createLeaseKeeper({
    controlPlane: scriptedPlane({
      renew: (executions) => {
        sent.push(executions.map((one) => one.execution_id));
        return answer(sent.length);
      },
    }),
    clock,
    log: { ...silentLog, warn: (text) => void said.push(text), error: (text) => void said.push(text) },
    live: () => [...live.values()],
    renewMs: () => RENEW_MS,
    obey: (wish) => void wishes.push(wish),
    signal: going.signal,
  });
  return { clock, live, add, sent, stops, wishes, said, going, keeper };
}

describe("leases of running jobs", () => {
  test("are renewed together, once a period, and never while nothing runs", async () => {
    const { clock, add, live, sent, keeper } = bed();
    await clock.advance(10 * RENEW_MS);
    expect(sent).toEqual([]);
    add("a");
    keeper.began();
    add("b");
    keeper.began();
    for (let n = 0; n < 3; n++) await clock.advance(RENEW_MS);
    expect(sent).toEqual(Array(3).fill(["a", "b"]));
    live.clear();
    await clock.advance(10 * RENEW_MS);
    expect(sent).toHaveLength(3);
  });

  test("carry changes of progress soon, many of them in one request", async () => {
    const { clock, add, sent, keeper } = bed();
    add("a");
    keeper.began();
    for (let n = 0; n < 20; n++) keeper.changed();
    await clock.advance(150);
    expect(sent).toEqual([["a"]]);
    await clock.advance(RENEW_MS);
    expect(sent).toHaveLength(2);
  });

  test("are told once more when something changed while the request was under way", async () => {
    const open = Promise.withResolvers<Result<Renewed>>();
    const { clock, add, sent, keeper } = bed((n) => (n === 1 ? open.promise : Promise.resolve(ok(NOTHING))));
    add("a");
    keeper.changed();
    await clock.advance(150);
    keeper.changed();
    await clock.advance(150);
    expect(sent).toHaveLength(1);
    open.resolve(ok(NOTHING));
    await clock.advance(150);
    expect(sent).toHaveLength(2);
  });

  test("that are lost stop exactly their own job, and wishes are obeyed", async () => {
    const wish: Wish = { kind: "cancel", execution_id: "b", reason: "not needed" };
    const { clock, add, stops, wishes, keeper } = bed(async () =>
      ok({ ...NOTHING, lost: [{ execution_id: "a", reason: "given out again" }], directives: [wish] }),
    );
    add("a");
    add("b");
    keeper.began();
    await clock.advance(RENEW_MS);
    expect(stops).toEqual([["a", { kind: "fenced", why: "given out again" }]]);
    expect(wishes).toEqual([wish]);
  });

  test("of a job in cleanup are not asked for: its outcome is recorded already", async () => {
    const { clock, add, sent, keeper } = bed();
    add("a", "cleanup");
    keeper.began();
    await clock.advance(RENEW_MS);
    expect(sent).toEqual([]);
  });

  test("stay while nobody answers, and are asked for again, whatever went wrong", async () => {
    const { clock, add, sent, stops, said, keeper } = bed(async (n) => {
      if (n === 2) throw new Error("a defect");
      return n === 1 ? fail(new RunnerError("unreachable", "down")) : ok(NOTHING);
    });
    add("a");
    keeper.began();
    for (let n = 0; n < 3; n++) await clock.advance(RENEW_MS);
    expect([sent.length, stops]).toEqual([3, []]);
    expect(said).toEqual(["leases could not be renewed", "a renewal failed"]);
  });

  test("are left alone once the process goes", async () => {
    const { clock, add, sent, going, keeper } = bed();
    add("a");
    keeper.began();
    going.abort();
    await clock.advance(RENEW_MS);
    keeper.stop();
    await turns();
    expect(sent).toEqual([]);
  });
});
