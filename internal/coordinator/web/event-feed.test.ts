import { describe, expect, test } from "bun:test";
import type { EventDoc } from "../../protocol/operator.ts";
import { EVENTS_PAGE } from "./api/timeline.ts";
import { createFeed, LIVE_ROWS } from "./event-feed.ts";

const ALL = { subject: "", what: "", by: "" };
const event = (seq: number, more: Partial<EventDoc> = {}): EventDoc => ({
  seq,
  at: "2026-11-21T12:00:00.000Z",
  what: "queued",
  by: "admin",
  why: "",
  job_id: null,
  change_id: null,
  runner_id: null,
  execution_id: null,
  epoch: null,
  ...more,
});
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => event(from + index));
const seqs = (feed: ReturnType<typeof createFeed>) => feed.shown.get()?.map((one) => one.seq) ?? null;

describe("the events of a page", () => {
  test("stand there once and newest first, whether a read or the stream brought them", () => {
    const feed = createFeed(ALL, true);
    expect(seqs(feed)).toBeNull();
    feed.add([event(4)]);
    feed.read([event(3), event(2), event(4)]);
    feed.add([event(5), event(3)]);
    expect(seqs(feed)).toEqual([5, 4, 3, 2]);
  });

  test("of the stream are only those that the filter of the address takes", () => {
    const feed = createFeed({ subject: "job1", what: "step:", by: "" }, true);
    feed.add([
      event(1, { job_id: "job1", what: "step:a" }),
      event(2, { job_id: "job2", what: "step:a" }),
      event(3, { job_id: "job1", what: "queued" }),
      event(4, { execution_id: "job1", what: "step:b" }),
    ]);
    expect(seqs(feed)).toEqual([4, 1]);
  });

  test("are bounded at the live end, and whole on a page of history", () => {
    const [live, history] = [createFeed(ALL, true), createFeed(ALL, false)];
    for (const feed of [live, history]) feed.read(range(1, LIVE_ROWS + 50));
    expect([seqs(live)?.length, seqs(live)?.at(-1)]).toEqual([LIVE_ROWS, 51]);
    expect(seqs(history)?.length).toBe(LIVE_ROWS + 50);
  });

  test("after a long absence are the newest page alone: no gap is shown as if nothing had happened in it", () => {
    const feed = createFeed(ALL, true);
    feed.read(range(1, 10));
    feed.read(range(500, 499 + EVENTS_PAGE));
    expect([seqs(feed)?.at(-1), seqs(feed)?.length]).toEqual([500, EVENTS_PAGE]);
  });

  test("stay where they are while held; what came is counted and shown afterwards", () => {
    const feed = createFeed(ALL, true);
    feed.read(range(1, 3));
    feed.hold(true);
    feed.add([event(4)]);
    feed.read([event(3), event(4), event(5)]);
    expect([seqs(feed), feed.held.get()]).toEqual([[3, 2, 1], 2]);
    feed.hold(false);
    expect([seqs(feed), feed.held.get()]).toEqual([[5, 4, 3, 2, 1], 0]);
  });

  test("that came in thousands while held are bounded, and leave no gap either", () => {
    const feed = createFeed(ALL, true);
    feed.read(range(1, 3));
    feed.hold(true);
    for (const one of range(4, 1_000)) feed.add([one]);
    expect(feed.held.get()).toBe(997);
    feed.hold(false);
    expect([seqs(feed)?.at(0), seqs(feed)?.at(-1)]).toEqual([1_000, 1_001 - LIVE_ROWS]);
  });
});
