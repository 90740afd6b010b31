import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { addRunner, type Control, startControl } from "./lib/control.ts";
import { action, terraform, terraformTest } from "./lib/jobs.ts";
import { type Bed, isAlive, makeBed, until } from "./lib/processes.ts";

/** Leases are short here so that losing one takes seconds; the rules are the same. */
const SHORT = ["--lease", "3s", "--renew", "1s", "--claim-hold", "2s", "--suspect", "3s", "--offline", "5s"];

let bed: Bed;
let control: Control;
beforeEach(async () => {
  bed = makeBed();
  control = await startControl(bed, { flags: SHORT });
});
afterEach(() => bed.end());

describe("a lost lease", () => {
  test("an action goes to another runner; the first one stops its tool and writes nothing more", async () => {
    const first = await addRunner(bed, control, { name: "first" });
    const sample = action(bed, {
      attempts: 2,
      body: `echo "begin $$" >> "${bed.path("act.trace")}"\nwhile [ ! -e "${bed.path("act.gate")}" ]; do sleep 0.05; done\necho worked >> "${bed.path("act.trace")}"\n`,
    });
    const job = await control.submit(sample.file);
    await until("the step works", () => sample.traces().length === 1);
    first.proc.signal("SIGSTOP");
    await addRunner(bed, control, { name: "second" });
    await until(
      "the second runner has it",
      () => sample.traces().filter((line) => line.startsWith("begin")).length === 2,
    );
    first.proc.signal("SIGCONT");
    const pid = Number(sample.traces()[0]?.split(" ")[1]);
    await until("the first tool is stopped", () => !isAlive(pid));
    sample.release();
    const doc = await control.ended(job);
    expect(doc.status).toBe("finished");
    expect(doc.executions.map((one) => one.epoch)).toEqual([1, 2]);
    expect(sample.traces().filter((line) => line === "worked")).toHaveLength(1);
    const of = (execution: string | undefined) =>
      doc.events.filter((event) => event.execution_id === execution && event.what === "finished");
    expect(of(doc.executions[0]?.id)).toHaveLength(0);
    expect(of(doc.executions[1]?.id)).toHaveLength(1);
  }, 90_000);

  test("an action whose runner died goes to another; at its return the first one stops its tool and says nothing", async () => {
    const first = await addRunner(bed, control, { name: "first" });
    const sample = action(bed, {
      attempts: 2,
      body: `echo "begin $$" >> "${bed.path("act.trace")}"\nwhile [ ! -e "${bed.path("act.gate")}" ]; do sleep 0.05; done\necho worked >> "${bed.path("act.trace")}"\n`,
    });
    const job = await control.submit(sample.file);
    await until("the step works", () => sample.traces().length === 1);
    await first.proc.kill9();
    await addRunner(bed, control, { name: "second" });
    await until("the second runner has it", () => sample.traces().length === 2);
    first.proc = first.start();
    const pid = Number(sample.traces()[0]?.split(" ")[1]);
    await until("the first tool is stopped", () => !isAlive(pid));
    sample.release();
    const doc = await control.ended(job);
    expect(doc.status).toBe("finished");
    expect(sample.traces().filter((line) => line === "worked")).toHaveLength(1);
    const words = doc.events.filter((event) => event.execution_id === doc.executions[0]?.id).map(({ what }) => what);
    expect(words).not.toContain("finished");
    expect(words).not.toContain("failed");
    await until("its folder is gone", () => readdirSync(`${first.stateDir}/executions`).length === 0);
  }, 90_000);

  terraformTest(
    "an apply is parked with its lock shown, never given to another runner, and its own runner may still complete it",
    async () => {
      const first = await addRunner(bed, control, { name: "first" });
      const sample = terraform(bed, { wait: true });
      const job = await control.submit(sample.file);
      await until("the apply works", () => sample.traces().includes("begin"));
      first.proc.signal("SIGSTOP");
      await addRunner(bed, control, { name: "second" });
      const parked = await until("the apply is parked", async () => {
        const doc = await control.show(job);
        return doc.jobs.some((one) => one.reason.startsWith("parked")) ? doc : null;
      });
      expect(parked.executions).toHaveLength(2); // the plan job's and this one
      expect((await control.workspaces())[0]?.lock).not.toBeNull();
      sample.release();
      first.proc.signal("SIGCONT");
      const doc = await control.ended(job);
      expect(doc.status).toBe("finished");
      expect(sample.traces()).toEqual(["begin", "worked"]);
      expect((await control.workspaces())[0]?.lock).toBeNull();
    },
    90_000,
  );
});

describe("two processes, one identity", () => {
  test("a second instance of a runner waits and takes over once the first is gone", async () => {
    const identity = await control.createRunner("one");
    const first = await addRunner(bed, control, { identity, stateDir: bed.path("a") });
    await until("the first is online", async () => (await control.runners())[0]?.contact === "online");
    const second = await addRunner(bed, control, { identity, stateDir: bed.path("b") });
    await until("the second says who holds it", () => second.proc.stderr().includes("another instance"));
    expect(second.proc.alive()).toBe(true);
    await first.proc.kill9();
    const job = await control.submit(action(bed).file);
    expect((await control.ended(job)).status).toBe("finished");
  }, 90_000);

  test("a second runner in one state directory says so in one sentence and exits 2 before it touches anything", async () => {
    const first = await addRunner(bed, control, { name: "first" });
    await until("the first is online", async () => (await control.runners())[0]?.contact === "online");
    const second = await addRunner(bed, control, { name: "second", stateDir: first.stateDir });
    expect(await second.proc.exited).toBe(2);
    expect(second.proc.stderr()).toContain("in use by another runner");
    expect(first.proc.alive()).toBe(true);
  }, 60_000);

  test("a wrong token exits 3 and says what to check", async () => {
    const identity = await control.createRunner("one");
    const runner = await addRunner(bed, control, { identity: { ...identity, token: "wrong" } });
    expect(await runner.proc.exited).toBe(3);
    expect(runner.proc.stderr()).toContain("RUNNER_API_TOKEN");
  }, 60_000);
});
