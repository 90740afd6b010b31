import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { addRunner, type Control, startControl } from "./lib/control.ts";
import { action, terraform, terraformTest } from "./lib/jobs.ts";
import { type Bed, isAlive, makeBed, until } from "./lib/processes.ts";

let bed: Bed;
let control: Control;
beforeEach(async () => {
  bed = makeBed();
  control = await startControl(bed);
});
afterEach(() => bed.end());

describe("signals to the runner", () => {
  test("the first SIGTERM drains: the running job finishes, a queued one stays, exit code 0", async () => {
    const runner = await addRunner(bed, control);
    const sample = action(bed, { wait: true });
    const job = await control.submit(sample.file);
    await until("the step works", () => sample.traces().includes("begin"));
    runner.proc.signal("SIGTERM");
    const later = await control.submit(action(bed, { name: "later" }).file);
    await Bun.sleep(500);
    expect(runner.proc.alive()).toBe(true);
    sample.release();
    expect((await control.ended(job)).status).toBe("finished");
    expect(await runner.proc.exited).toBe(0);
    expect(["queued", "available"]).toContain((await control.show(later)).status);
  }, 60_000);

  terraformTest(
    "the second SIGTERM cancels: the tool gets its ladder, the job is reported cancelled",
    async () => {
      const runner = await addRunner(bed, control);
      const sample = terraform(bed, { wait: true });
      const job = await control.submit(sample.file);
      await until("the apply works", () => sample.traces().includes("begin"));
      runner.proc.signal("SIGTERM");
      await Bun.sleep(300);
      runner.proc.signal("SIGTERM");
      const doc = await control.ended(job);
      expect(doc.status).toBe("cancelled");
      expect(await runner.proc.exited).toBe(0);
      expect((await control.workspaces())[0]?.lock).toBeNull();
    },
    60_000,
  );

  test("the third SIGTERM leaves at once: the tool lives on and the next start takes it up", async () => {
    const runner = await addRunner(bed, control);
    const sample = action(bed, {
      wait: true,
      grace: "30s",
      body: `trap : TERM\necho begin >> "${bed.path("act.trace")}"\nwhile [ ! -e "${bed.path("act.gate")}" ]; do sleep 0.05 || :; done\necho worked >> "${bed.path("act.trace")}"\n`,
    });
    const job = await control.submit(sample.file);
    await until("the step works", () => sample.traces().includes("begin"));
    for (let n = 0; n < 3; n++) {
      runner.proc.signal("SIGTERM");
      await Bun.sleep(200);
    }
    await runner.proc.exited;
    sample.release();
    await until("the tool ended by itself", () => sample.traces().includes("worked"));
    runner.proc = runner.start();
    const doc = await control.ended(job);
    expect(doc.status).toBe("finished");
    expect(sample.traces().filter((line) => line === "worked")).toHaveLength(1);
  }, 60_000);
});

describe("cancel and timeout", () => {
  terraformTest(
    "cancel in mid-apply: terraform is interrupted, unlocks by itself, and the job is cancelled",
    async () => {
      await addRunner(bed, control);
      const sample = terraform(bed, { wait: true });
      const job = await control.submit(sample.file);
      await until("the apply works", () => sample.traces().includes("begin"));
      expect((await control.post(`/jobs/${job}/cancel`)).ok).toBe(true);
      const doc = await control.ended(job);
      expect(doc.status).toBe("cancelled");
      expect((await control.workspaces())[0]?.lock).toBeNull();
      expect(await control.log(job)).toContain("Interrupt received");
      expect(sample.traces()).toEqual(["begin"]);
    },
    60_000,
  );

  test("a script that ignores TERM is killed after its grace, with its children", async () => {
    const runner = await addRunner(bed, control);
    const pidFile = bed.path("child.pid");
    const sample = action(bed, {
      grace: "1s",
      body: `trap '' TERM\necho begin >> "${bed.path("act.trace")}"\nsleep 300 &\necho $! > "${pidFile}"\nwhile :; do sleep 1; done\n`,
    });
    const job = await control.submit(sample.file);
    await until("the child runs", () => existsSync(pidFile));
    const pid = Number(await Bun.file(pidFile).text());
    expect((await control.post(`/jobs/${job}/cancel`)).ok).toBe(true);
    const doc = await control.ended(job);
    expect(doc.status).toBe("cancelled");
    expect(isAlive(pid)).toBe(false);
    expect(readdirSync(`${runner.stateDir}/executions`)).toEqual([]);
  }, 60_000);

  test("a timeout ends the work and is reported as timed-out with its reason", async () => {
    await addRunner(bed, control);
    const sample = action(bed, { wait: true, timeout: "2s", grace: "1s" });
    const job = await control.submit(sample.file);
    const doc = await control.ended(job, 90_000);
    expect(doc.status).toBe("timed-out");
    expect(doc.reason).toContain("timeout");
  }, 120_000);

  test("a step that leaves a child holding the log ends with the step itself", async () => {
    await addRunner(bed, control);
    const sample = action(bed, {
      body: `sleep 300 &\necho $! > "${bed.path("child.pid")}"\necho worked >> "${bed.path("act.trace")}"\n`,
    });
    const job = await control.submit(sample.file);
    const doc = await control.ended(job);
    expect(doc.status).toBe("finished");
    const pid = Number(await Bun.file(bed.path("child.pid")).text());
    expect(isAlive(pid)).toBe(false);
  }, 60_000);
});
