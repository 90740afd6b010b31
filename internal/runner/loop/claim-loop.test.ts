import { afterEach, describe, expect, test } from "bun:test";
import { silentLog } from "../../kit/base/system-log.ts";
import type { JobGroup } from "../../protocol/enums.ts";
import { fail, ok, type Result, RunnerError } from "../../protocol/errors.ts";
import type { Slots } from "../../protocol/native.ts";
import type { ClaimWish, Granted, Wish, Work } from "../controlplane/control-plane.ts";
import { createClaimLoop } from "./claim-loop.ts";
import { openJournal } from "./journal.ts";
import { createSlots } from "./slots.ts";
import { manualClock, removeFolders, scriptedPlane, tempFolder, turns, workOf } from "./test-bed.ts";

afterEach(removeFolders);

const granted = (work: readonly Work[] = [], directives: readonly Wish[] = [], after = 0): Granted => ({
  work,
  directives,
  after,
});
const given = (signal: AbortSignal) =>
  new Promise<Result<Granted>>((resolve) => {
    const giveUp = () => resolve(fail(new RunnerError("cancelled", "given up")));
    if (signal.aborted) giveUp();
    signal.addEventListener("abort", giveUp, { once: true });
  });

interface Ask {
  readonly wish: ClaimWish;
  readonly aborted: () => boolean;
  answer(granted: Granted): Promise<void>;
  refuse(error: RunnerError): Promise<void>;
}

/** A claim loop whose control plane is the test. */
function bed({
  capacity = { operations: 1, actions: 1 } as Slots,
  free = (): number => 1_000,
  folder = tempFolder(),
} = {}) {
  const clock = manualClock();
  const journal = openJournal(folder);
  const asks: Ask[] = [];
  const begun: string[] = [];
  const wishes: Wish[] = [];
  const warned: string[] = [];
  const draining = new AbortController();
  const going = new AbortController();
  const slots = createSlots(capacity, () => loop.room());
  const loop = createClaimLoop({
    controlPlane: scriptedPlane({
      claim: (wish, signal) => {
        const answer = Promise.withResolvers<Result<Granted>>();
        asks.push({
          wish,
          aborted: () => signal.aborted,
          answer: async (value) => {
            answer.resolve(ok(value));
            await turns();
          },
          refuse: async (error) => {
            answer.resolve(fail(error));
            await turns();
          },
        });
        return Promise.race([answer.promise, given(signal)]);
      },
    }),
    journal,
    clock,
    log: { ...silentLog, warn: (text) => void warned.push(text), info: (text) => void warned.push(text) },
    slots,
    groups: Object.keys(capacity) as JobGroup[],
    freeBytes: free,
    minFreeBytes: 100,
    remember: ({ job, execution }) =>
      journal.addExecution({ ...execution, job, deadlineMs: 0, createdMs: 0, group: execution.group }),
    begin: (work) => {
      begun.push(work.execution.id);
      slots.take(work.execution.group);
    },
    obey: (wish) => void wishes.push(wish),
    signal: draining.signal,
    going: going.signal,
  });
  const ended = loop.run();
  return { clock, journal, asks, begun, wishes, warned, draining, going, slots, ended, folder };
}

const actions = (id: string) => workOf(id, "actions-workflow", "actions");

describe("claiming work", () => {
  test("is journalled before it is asked for, and granted work before it is begun", async () => {
    const { asks, journal, begun, draining, ended } = bed();
    await turns();
    expect(asks).toHaveLength(1);
    expect(journal.pendingClaim()).toBe(asks[0]?.wish.key ?? "");
    await asks[0]?.answer(granted([workOf("exe1")], [{ kind: "drain", reason: "please" }], 7));
    expect(begun).toEqual(["exe1"]);
    expect(journal.executions().map((row) => row.id)).toEqual(["exe1"]);
    expect(asks[1]?.wish).toMatchObject({ slots: { operations: 0, actions: 1 }, after: 7 });
    expect(asks[1]?.wish.key).not.toBe(asks[0]?.wish.key);
    draining.abort();
    await turns();
    await asks.at(-1)?.answer(granted());
    expect(await ended).toBeNull();
  });

  test("after a restart asks with the key of before: an answer that was lost is offered again", async () => {
    const first = bed();
    await turns();
    const key = first.asks[0]?.wish.key;
    first.journal.close();
    const second = bed({ folder: first.folder });
    await turns();
    expect(second.asks[0]?.wish.key).toBe(key);
  });

  test("is asked anew with the same key when a full group gets room, and only then", async () => {
    const { asks, slots, clock } = bed();
    await turns();
    await asks[0]?.answer(granted([workOf("exe1")]));
    slots.take("actions");
    slots.give("actions");
    await clock.advance(5);
    expect(asks[1]?.aborted()).toBe(false);
    slots.give("operations");
    await clock.advance(5);
    expect(asks[1]?.aborted()).toBe(true);
    expect(asks[2]?.wish).toMatchObject({ key: asks[1]?.wish.key, slots: { operations: 1, actions: 1 } });
  });

  test("of many jobs that end together is one claim", async () => {
    const { asks, slots, clock } = bed({ capacity: { operations: 3 } });
    await turns();
    await asks[0]?.answer(granted([workOf("a"), workOf("b"), workOf("c")]));
    await clock.advance(60);
    expect(asks[1]?.wish.slots).toEqual({ operations: 0 });
    for (let n = 0; n < 3; n++) slots.give("operations");
    await clock.advance(5);
    expect(asks).toHaveLength(3);
    expect(asks[2]?.wish.slots).toEqual({ operations: 3 });
  });

  test("waits a moment for room, then asks for wishes alone", async () => {
    const { asks, clock } = bed({ capacity: { operations: 1 } });
    await turns();
    await asks[0]?.answer(granted([workOf("exe1")]));
    expect(asks).toHaveLength(1);
    await clock.advance(60);
    expect(asks[1]?.wish.slots).toEqual({ operations: 0 });
  });

  test("stops below the free space it needs, says so once, and goes on by itself", async () => {
    let room = 10;
    const { asks, clock, warned } = bed({ free: () => room });
    for (let n = 0; n < 3; n++) await clock.advance(5_000);
    expect(asks).toHaveLength(0);
    expect(warned).toEqual(["too little free space in the state directory: taking no new work"]);
    room = 1_000;
    await clock.advance(5_000);
    expect(asks).toHaveLength(1);
    expect(warned).toHaveLength(2);
  });

  test("ends with the error of a control plane that refuses this runner", async () => {
    const { asks, ended } = bed();
    await turns();
    await asks[0]?.refuse(new RunnerError("refused", "no such runner"));
    expect((await ended)?.message).toBe("no such runner");
  });
});

describe("a drain", () => {
  test("asks what its last claim was granted in that moment, and works on it", async () => {
    const { asks, begun, draining, ended, journal } = bed();
    await turns();
    draining.abort();
    await turns();
    expect(asks).toHaveLength(2);
    expect(asks[1]?.wish).toMatchObject({ key: asks[0]?.wish.key, slots: {}, waitMs: 0 });
    await asks[1]?.answer(granted([actions("exe1")]));
    expect(await ended).toBeNull();
    expect(begun).toEqual(["exe1"]);
    expect(journal.executions().map((row) => row.id)).toEqual(["exe1"]);
  });

  test("does not wait long for a control plane that is away, and takes nothing new", async () => {
    const { asks, begun, clock, draining, ended } = bed();
    await turns();
    draining.abort();
    await clock.advance(5_000);
    expect(await ended).toBeNull();
    expect([asks.length, begun]).toEqual([2, []]);
  });

  test("asks nothing when its last claim was answered", async () => {
    let room = 1_000;
    const { asks, clock, draining, ended } = bed({ free: () => room });
    await turns();
    room = 10;
    await asks[0]?.answer(granted());
    draining.abort();
    await clock.advance(5_000);
    await ended;
    expect(asks).toHaveLength(1);
  });
});

describe("slots", () => {
  test("never fall below none, also when recovered work exceeds what was configured", () => {
    const slots = createSlots({ actions: 1 }, () => {});
    slots.take("actions");
    slots.take("actions");
    slots.take("deploy");
    expect(slots.free()).toEqual({ actions: 0 });
    slots.give("actions");
    expect(slots.free()).toEqual({ actions: 0 });
    slots.give("actions");
    slots.give("actions");
    expect(slots.free()).toEqual({ actions: 1 });
  });
});
