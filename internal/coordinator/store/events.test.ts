import { describe, expect, test } from "bun:test";
import { newId } from "../../protocol/ids.ts";
import { testStore } from "./test-store.ts";

const [job, change, runner, execution] = [newId("job"), newId("change"), newId("runner"), newId("execution")];

function timeline() {
  const { store } = testStore();
  store.db.transaction(() => {
    store.events.append({ what: "session", by: `runner:${runner}`, runnerId: runner });
    store.events.append({ what: "queued", by: "admin", jobId: job, changeId: change });
    store.events.append({ what: "step:build", by: `runner:${runner}`, jobId: job, executionId: execution });
    store.events.append({ what: "step:test", by: `runner:${runner}`, jobId: job, executionId: execution });
    store.events.append({ what: "steps", by: "runners", jobId: newId("job") });
  }, "full");
  const seqs = (filter: object) => store.events.list({ after: 0, limit: 10, ...filter }).map((event) => event.seq);
  return { seqs };
}

describe("the timeline", () => {
  test("is read backwards from any place", () => {
    const { seqs } = timeline();
    expect(seqs({ order: "newest", limit: 2 })).toEqual([5, 4]);
    expect(seqs({ order: "newest", before: 4, limit: 2 })).toEqual([3, 2]);
    expect(seqs({ before: 3, after: 1 })).toEqual([2]);
  });

  test("is filtered by the id of a job, change, runner or execution", () => {
    const { seqs } = timeline();
    expect([seqs({ subject: job }), seqs({ subject: change })]).toEqual([[2, 3, 4], [2]]);
    expect([seqs({ subject: runner }), seqs({ subject: execution })]).toEqual([[1], [3, 4]]);
    expect(seqs({ subject: "nobody" })).toEqual([]);
  });

  test("is filtered by what happened and by whom; a colon at the end takes all that begins so", () => {
    const { seqs } = timeline();
    expect([seqs({ what: "step:build" }), seqs({ what: "step:" }), seqs({ what: "step" })]).toEqual([[3], [3, 4], []]);
    expect([seqs({ by: "admin" }), seqs({ by: "runner:" }), seqs({ by: "runner" })]).toEqual([[2], [1, 3, 4], []]);
    expect(seqs({ what: "step:", by: `runner:${runner}`, subject: job, order: "newest", limit: 1 })).toEqual([4]);
  });
});
