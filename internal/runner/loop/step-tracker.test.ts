import { afterEach, describe, expect, test } from "bun:test";
import type { StepReport } from "../../protocol/native.ts";
import { StopError, ToolError } from "../handler.ts";
import { openJournal } from "./journal.ts";
import { createStepTracker } from "./step-tracker.ts";
import { manualClock, removeFolders, tempFolder } from "./test-bed.ts";

afterEach(removeFolders);

const KEY = { id: "exe1", epoch: 1 };

function bed(folder = tempFolder(), clock = manualClock()) {
  const journal = openJournal(folder);
  const told: [string, string, string | undefined][] = [];
  const steps = createStepTracker({
    key: KEY,
    journal,
    clock,
    changed: (step: StepReport, id) => void told.push([step.name, step.status, id]),
  });
  return { folder, clock, journal, steps, told };
}

describe("steps of the work", () => {
  test("show when they began, how long they took and with which code they ended", async () => {
    const { steps, clock, told } = bed();
    await steps.run({ name: "build", id: "s1" }, async () => {
      expect(steps.current()).toBe("build");
      await clock.advance(1_500);
      steps.toolEnded(0);
    });
    const failing = steps.run({ name: "test" }, async () => {
      steps.toolEnded(0);
      throw new ToolError("test", { code: 3, duration_ms: 1, tail: "" });
    });
    await expect(failing).rejects.toThrow("test exited with 3");
    expect(steps.current()).toBe("");
    expect(steps.reports()).toEqual([
      { name: "build", status: "finished", started_at: "2026-11-21T12:00:00.000Z", duration_ms: 1_500, exit_code: 0 },
      { name: "test", status: "error", started_at: "2026-11-21T12:00:01.500Z", duration_ms: 0, exit_code: 3 },
    ]);
    expect(told.slice(0, 2)).toEqual([
      ["build", "in-progress", "s1"],
      ["build", "finished", "s1"],
    ]);
  });

  test("are the same ones after a restart: one that was over keeps its times and is told again", async () => {
    const first = bed();
    await first.steps.run({ name: "build", id: "s1" }, () => first.clock.advance(1_000));
    void first.steps.run({ name: "test", id: "s2" }, () => new Promise(() => {}));
    first.journal.close();

    await first.clock.advance(60_000);
    const second = bed(first.folder, first.clock);
    expect(second.steps.reports().map((step) => [step.name, step.status])).toEqual([
      ["build", "finished"],
      ["test", "in-progress"],
    ]);
    await second.steps.run({ name: "build", id: "s1" }, () => first.clock.advance(5));
    await second.steps.run({ name: "test", id: "s2" }, async () => second.steps.toolEnded(0));
    expect(second.told).toEqual([
      ["build", "finished", "s1"],
      ["test", "finished", "s2"],
    ]);
    expect(second.steps.reports()).toMatchObject([
      { name: "build", status: "finished", duration_ms: 1_000 },
      { name: "test", status: "finished", duration_ms: 60_005, exit_code: 0 },
    ]);
    second.journal.close();
  });

  test("of one name are told apart by their ids, over a restart too", async () => {
    const first = bed();
    const ids = ["s1", "s2", "s3"];
    for (const id of ids) await first.steps.run({ name: "build", id }, async () => {});
    const names = ["build", "build (2)", "build (3)"];
    expect(first.steps.reports().map((step) => step.name)).toEqual(names);
    first.journal.close();
    const second = bed(first.folder);
    for (const id of ids) await second.steps.run({ name: "build", id }, async () => {});
    expect(second.told).toEqual(ids.map((id, n) => [names[n] ?? "", "finished", id]));
  });

  test("that are stopped say how, and one left running for the next start is not ended", async () => {
    const { steps } = bed();
    const stop = async (name: string, kind: "timed-out" | "cancelled" | "abandoned") => {
      const work = steps.run({ name }, () => Promise.reject(new StopError({ kind, why: kind })));
      await expect(work).rejects.toThrow(kind);
    };
    await stop("a", "timed-out");
    await stop("b", "cancelled");
    await stop("c", "abandoned");
    expect(steps.reports().map((step) => step.status)).toEqual(["timed-out", "error", "in-progress"]);
  });

  test("never took less than no time, whatever the wall clock says", async () => {
    const { steps, clock } = bed();
    await steps.run({ name: "build" }, async () => clock.set(-3_600_000));
    expect(steps.reports()[0]?.duration_ms).toBe(0);
  });
});
