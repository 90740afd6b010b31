import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { addRunner, type Control, startControl } from "./lib/control.ts";
import { action, terraform, terraformTest } from "./lib/jobs.ts";
import { type Bed, makeBed, until } from "./lib/processes.ts";

/** `kill -9` of the runner at each step of the lifecycle, for an action and for a terraform apply that holds its lock. */
const STEPS = [
  "claim",
  "fetch",
  "validate",
  "initialize",
  "execute",
  "exec.intent",
  "exec.spawned",
  "exec.ended",
  "outputs",
  "report",
  "cleanup",
  "cleaned",
  "delivered",
];

let bed: Bed;
let control: Control;
beforeEach(async () => {
  bed = makeBed();
  control = await startControl(bed);
});
afterEach(() => bed.end());

describe("a runner killed with SIGKILL", () => {
  for (const step of STEPS) {
    test(`at ${step} of an action: after its restart the job ends once, and its work was done once`, async () => {
      const runner = await addRunner(bed, control, { env: { RUNNER_FAILPOINT: `runner.${step}` } });
      const sample = action(bed);
      const job = await control.submit(sample.file);
      expect(await runner.proc.exited).toBe(137);
      runner.proc = runner.start();
      const doc = await control.ended(job);
      expect(doc.status).toBe("finished");
      expect(doc.outputs).toMatchObject({ answer: "42" });
      expect(doc.events.filter((event) => event.what === "finished")).toHaveLength(1);
      expect(sample.traces()).toEqual(["begin", "worked", "second"]);
      expect((await control.log(job)).match(/line one/g)).toHaveLength(1);
    }, 60_000);

    terraformTest(
      `at ${step} of a terraform change: it ends once, the state is saved and the lock is free`,
      async () => {
        const runner = await addRunner(bed, control, { env: { RUNNER_FAILPOINT: `runner.${step}` } });
        const sample = terraform(bed);
        const job = await control.submit(sample.file);
        expect(await runner.proc.exited).toBe(137);
        runner.proc = runner.start();
        const doc = await control.ended(job);
        expect(doc.status).toBe("finished");
        expect(doc.outputs).toEqual({ cidr: "10.0.0.0/16" });
        expect(sample.traces()).toEqual(["begin", "worked"]);
        const [workspace] = await control.workspaces();
        expect(workspace?.lock).toBeNull();
        expect(workspace?.serial).toBeGreaterThan(0);
      },
      60_000,
    );
  }

  terraformTest(
    "in mid-apply: terraform goes on, the next runner takes it up again, state and log are complete",
    async () => {
      const runner = await addRunner(bed, control);
      const sample = terraform(bed, { wait: true });
      const job = await control.submit(sample.file);
      await until("the apply works", () => sample.traces().includes("begin"));
      const [locked] = await control.workspaces();
      expect(locked?.lock?.Operation).toBe("OperationTypeApply");
      await runner.proc.kill9();
      sample.release();
      await until("the tool ended by itself", () => sample.traces().includes("worked"));
      runner.proc = runner.start();
      const doc = await control.ended(job);
      expect(doc.status).toBe("finished");
      expect(sample.traces()).toEqual(["begin", "worked"]);
      expect((await control.workspaces())[0]?.lock).toBeNull();
      expect(await control.log(job)).toContain("Apply complete! Resources: 1 added");
    },
    60_000,
  );

  test("in mid-action: the script goes on while the runner is away and the job finishes after its return", async () => {
    const runner = await addRunner(bed, control);
    const sample = action(bed, { wait: true });
    const job = await control.submit(sample.file);
    await until("the step works", () => sample.traces().includes("begin"));
    await runner.restart();
    await until("the runner is back", async () => (await control.runners())[0]?.contact === "online");
    sample.release();
    const doc = await control.ended(job);
    expect(doc.status).toBe("finished");
    expect(sample.traces()).toEqual(["begin", "worked", "second"]);
    expect(doc.executions).toHaveLength(1);
  }, 60_000);
});
