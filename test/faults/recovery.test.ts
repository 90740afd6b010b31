import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { addRunner, type Control, leftOver, outcomes, type RunnerHandle, startControl } from "./lib/control.ts";
import { action, terraform, terraformTest } from "./lib/jobs.ts";
import { type Bed, makeBed, toolsBelow, until } from "./lib/processes.ts";

let bed: Bed;
let control: Control;
beforeEach(async () => {
  bed = makeBed();
  control = await startControl(bed);
});
afterEach(() => bed.end());

const KINDS = [
  { kind: "an action", make: action, done: ["begin", "worked", "second"] },
  { kind: "a terraform change", make: terraform, done: ["begin", "worked"] },
] as const;

describe("a runner killed with SIGKILL, and again while it recovers", () => {
  const PAIRS = [
    ["fetch", "initialize"],
    ["exec.spawned", "exec.ended"],
    ["exec.ended", "execute"],
    ["report", "report"],
    ["cleanup", "report"],
    ["cleanup", "cleanup"],
  ];
  for (const { kind, make, done } of KINDS) {
    for (const [first, second] of PAIRS) {
      test(`at ${first}, then at ${second} of ${kind}: it ends once and its work was done once`, async () => {
        const runner = await addRunner(bed, control, { env: { RUNNER_FAILPOINT: `runner.${first}` } });
        const sample = make(bed);
        const job = await control.submit(sample.file);
        expect(await runner.proc.exited).toBe(137);
        runner.proc = runner.start({ RUNNER_FAILPOINT: `runner.${second}` });
        expect(await runner.proc.exited).toBe(137);
        runner.proc = runner.start();
        const doc = await control.ended(job);
        expect(doc.status).toBe("finished");
        expect(outcomes(doc)).toEqual(["finished"]);
        expect(sample.traces()).toEqual([...done]);
        expect(await leftOver(bed, control, runner)).toEqual([]);
      }, 60_000);
    }
  }
});

terraformTest(
  "runner and coordinator killed together in mid-apply: the apply goes on, its state is saved, one outcome",
  async () => {
    const runner = await addRunner(bed, control);
    const sample = terraform(bed, { wait: true });
    const job = await control.submit(sample.file);
    await until("the apply works", () => sample.traces().includes("begin"));
    await Promise.all([runner.proc.kill9(), control.proc.kill9()]);
    sample.release();
    await until("the apply is done", () => sample.traces().includes("worked"));
    await control.restart();
    runner.proc = runner.start();
    const doc = await control.ended(job, 120_000);
    expect(doc.status).toBe("finished");
    expect(outcomes(doc)).toEqual(["finished"]);
    expect(sample.traces()).toEqual(["begin", "worked"]);
    expect((await control.workspaces())[0]?.serial).toBeGreaterThan(0);
    expect((await control.log(job)).match(/Apply complete!/g)).toHaveLength(1);
    expect(await leftOver(bed, control, runner)).toEqual([]);
  },
  180_000,
);

describe("a stop that comes while the runner is away, in mid-apply", () => {
  const STOPS = [
    { what: "cancel", timeout: undefined, status: "cancelled" },
    { what: "the timeout", timeout: "5s", status: "timed-out" },
  ] as const;
  for (const { what, timeout, status } of STOPS) {
    terraformTest(
      `${what}: at its return terraform is interrupted as ever, saves and unlocks by itself; one outcome`,
      async () => {
        const runner = await addRunner(bed, control);
        const sample = terraform(bed, { wait: true, ...(timeout ? { timeout } : {}) });
        const job = await control.submit(sample.file);
        await until("the apply works", () => sample.traces().includes("begin"));
        await runner.proc.kill9();
        if (timeout) await Bun.sleep(6_000);
        else expect((await control.post(`/jobs/${job}/cancel`)).status).toBe(200);
        expect(toolsBelow(bed.root)).not.toEqual([]);
        runner.proc = runner.start();
        const doc = await control.ended(job);
        expect(doc.status).toBe(status);
        expect(outcomes(doc)).toEqual([status]);
        expect(await control.log(job)).toContain("Interrupt received");
        expect(sample.traces()).toEqual(["begin"]);
        expect((await control.workspaces())[0]?.serial).toBeGreaterThan(0);
        expect(await leftOver(bed, control, runner)).toEqual([]);
      },
      90_000,
    );
  }
});

describe("what a restart may find damaged", () => {
  const snapshot = (folder: string) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => `${path} ${statSync(path).mtimeMs} ${Bun.hash(readFileSync(path))}`);

  const DAMAGE: Readonly<Record<string, (file: string) => void>> = {
    "full of garbage": (file) => writeFileSync(file, crypto.getRandomValues(new Uint8Array(20_000))),
    "cut off": (file) => truncateSync(file, statSync(file).size / 2),
    "with garbage in its middle": (file) => {
      const bytes = readFileSync(file);
      crypto.getRandomValues(bytes.subarray(4096, 12_288));
      writeFileSync(file, bytes);
    },
  };
  for (const [what, damage] of Object.entries(DAMAGE)) {
    test(`a journal ${what}: one sentence that names it, a remedy, exit code 2, nothing touched`, async () => {
      const runner = await addRunner(bed, control);
      const job = await control.submit(action(bed).file);
      await control.ended(job);
      runner.proc.signal("SIGTERM");
      expect(await runner.proc.exited).toBe(0);
      const file = join(runner.stateDir, "journal.db");
      damage(file);
      const before = snapshot(runner.stateDir);
      runner.proc = runner.start();
      expect(await runner.proc.exited).toBe(2);
      const lines = runner.proc.stderr().trimEnd().split("\n");
      expect(lines).toHaveLength(2);
      expect(lines[0]).toContain(file);
      expect(lines[1]).toContain("move");
      expect(snapshot(runner.stateDir)).toEqual(before);
    }, 60_000);
  }

  const sealedFiles = (runner: RunnerHandle) =>
    readdirSync(join(runner.stateDir, "executions")).map((name) =>
      join(runner.stateDir, "executions", name, "sealed.json"),
    );

  for (const { kind, make } of KINDS) {
    test(`what must be redacted is gone, in the middle of ${kind}: the log is withheld with a notice, one outcome`, async () => {
      const runner = await addRunner(bed, control);
      const sample = make(bed, { wait: true });
      const job = await control.submit(sample.file);
      await until("the work is on", () => sample.traces().includes("begin"));
      await runner.proc.kill9();
      for (const file of sealedFiles(runner)) rmSync(file);
      sample.release();
      await until("the tool went on", () => sample.traces().includes("worked"));
      runner.proc = runner.start();
      const doc = await control.ended(job);
      expect(outcomes(doc)).toHaveLength(1);
      expect(sample.traces().filter((line) => line === "worked")).toHaveLength(1);
      const log = await control.log(job);
      expect(log).toContain("withheld");
      expect(log).not.toContain("line two");
      expect(await leftOver(bed, control, runner)).toEqual([]);
    }, 60_000);
  }
});

describe("a tool whose wrapper and group are killed with SIGKILL from outside", () => {
  for (const { kind, make } of KINDS) {
    for (const away of [false, true]) {
      const when = away ? "while the runner is away" : "under a living runner";
      test(`${kind}, ${when}: failed with exit_code_lost, the lock is free, nothing left behind`, async () => {
        const runner = await addRunner(bed, control);
        const sample = make(bed, { wait: true });
        const job = await control.submit(sample.file);
        await until("the work is on", () => sample.traces().includes("begin"));
        if (away) await runner.proc.kill9();
        const wrapper = Math.min(...toolsBelow(bed.root));
        process.kill(-wrapper, "SIGKILL");
        await until("nothing of the tool lives", () => toolsBelow(bed.root).length === 0);
        if (away) runner.proc = runner.start();
        const doc = await control.ended(job);
        expect(doc.status).toBe("failed");
        expect(outcomes(doc)).toEqual(["failed"]);
        expect(doc.reason).toStartWith("exit_code_lost: ");
        expect(sample.traces()).toEqual(["begin"]);
        expect(await leftOver(bed, control, runner)).toEqual([]);
      }, 60_000);
    }
  }

  terraformTest(
    "the lock is free before the outcome is known, not only after cleanup",
    async () => {
      const gate = bed.path("held");
      await addRunner(bed, control, { env: { RUNNER_FAILPOINT: `runner.cleanup:2=pause:${gate}` } });
      const sample = terraform(bed, { wait: true });
      const job = await control.submit(sample.file);
      await until("the apply works", () => sample.traces().includes("begin"));
      process.kill(-Math.min(...toolsBelow(bed.root)), "SIGKILL");
      await until("the outcome is known", async () => (await control.show(job)).status === "failed");
      expect((await control.workspaces())[0]?.lock).toBeNull();
      writeFileSync(gate, "");
      await control.ended(job);
    },
    60_000,
  );
});
