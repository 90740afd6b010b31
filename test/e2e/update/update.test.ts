import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { statSync } from "node:fs";
import { action, terraform, terraformTest } from "../../faults/lib/jobs.ts";
import { until } from "../../faults/lib/processes.ts";
import { releasesOfTheRun, removeReleases, startUpdateBed, type UpdateBed } from "./update-bed.ts";

setDefaultTimeout(120_000);
const LIMIT = 60_000;

/** The places where a kill is tried: before and after whatever a step changes. */
const FORTH = [
  "begun",
  "staged",
  "stop",
  "stopped",
  "switch",
  "switched",
  "start",
  "started",
  "probation",
  "judged",
  "self",
  "done",
];
const BACK = ["back", "back.stopped", "back.switched", "back.started"];

let host: UpdateBed;
beforeAll(async () => {
  host = await startUpdateBed(releasesOfTheRun(), { RUNNER_UPDATE_WHEN: "reattach" });
  host.keep();
  await runs("1.0.0");
});
afterAll(async () => {
  await host?.end();
  removeReleases();
});

const runs = (version: string) =>
  until(`${version} runs`, () => host.connected() === version && host.journal().open === null, LIMIT);
const mngRuns = (version: string) =>
  until(
    `mng ${version} is connected`,
    async () => JSON.parse((await host.cli("status", "--json")).stdout).mng?.version === version,
    LIMIT,
  );

/** The last step of all is of the new version, which mng ends itself for. */
async function killedAt(place: string): Promise<number> {
  for (;;) {
    const code = await host.mng({ RUNNER_FAILPOINT: `mng.${place}` }).exited;
    if (code !== 0) return code;
  }
}

describe("an update by mng, on a machine without systemd", () => {
  terraformTest("to the version of the settings loses none of the jobs that run", async () => {
    const act = action(host.bed, { wait: true });
    const tf = terraform(host.bed, { wait: true });
    const jobs = [
      await host.control.submit(act.file, host.runnerId),
      await host.control.submit(tf.file, host.runnerId),
    ];
    await until("both work", () => act.traces().includes("begin") && tf.traces().includes("begin"), LIMIT);
    await host.want("v2.0.0");
    await runs("2.0.0");
    act.release();
    tf.release();
    for (const job of jobs) expect((await host.control.ended(job)).status).toBe("finished");
    expect(act.traces()).toEqual(["begin", "worked", "second"]);
    expect(tf.traces()).toEqual(["begin", "worked"]);
    expect(host.journal().last).toMatchObject({
      version: "2.0.0",
      from: "1.0.0",
      outcome: "updated",
      cause: "settings",
    });
    const status = await host.cli("status", "--json");
    expect(JSON.parse(status.stdout)).toMatchObject({ current: "2.0.0", previous: "1.0.0", mng: { version: "2.0.0" } });
    expect(status.code).toBe(0);
  });

  test("by a job fails with the reason when the version never gets healthy, and the one before runs again", async () => {
    await host.stopMng();
    await host.want("3.0.0-exits");
    host.keep({ RUNNER_AUTO_UPDATE: "off" });
    await until("it leaves the settings alone", () => host.log().includes("updates by themselves are off"), LIMIT);
    const doc = await host.control.ended(await host.job("mng-runner-update-version"));
    expect(doc.status).toBe("failed");
    expect(doc.reason).toContain("version 3.0.0-exits was rolled back: it ended 3 times before it was ready");
    await runs("2.0.0");
    expect(JSON.parse((await host.cli("status", "--json")).stdout)).toMatchObject({
      current: "2.0.0",
      previous: "1.0.0",
      last: { outcome: "rolled-back", cause: "job" },
      bad: [{ version: "3.0.0-exits" }],
    });
  });

  test("that hangs is rolled back at its deadline, said so, and not tried again by itself", async () => {
    await host.stopMng();
    await host.want("3.0.0-hangs");
    host.keep({ RUNNER_UPDATE_DEADLINE: "3s" });
    await until("it is rolled back", () => host.journal().last?.version === "3.0.0-hangs", LIMIT);
    await runs("2.0.0");
    expect(host.journal().last?.reason).toStartWith("it was not ready within 3 s (pid ");
    await until("it says so", () => host.log().includes("it is not tried again by itself"), LIMIT);
    expect(host.log()).toContain("an update was rolled back version=3.0.0-hangs");
    const told = async () => (await host.told("update-rolled-back")).at(-1) ?? "";
    await until("the coordinator knows", async () => (await told()).includes("3.0.0-hangs"), LIMIT);
    expect(await told()).toStartWith("2.0.0 → 3.0.0-hangs (asked by settings): it was not ready within 3 s");
    expect(await host.told("updated")).toEqual(["1.0.0 → 2.0.0 (asked by settings)"]);
  });

  test("by a person waits until running jobs have ended, and `mng rollback` goes back in the same way", async () => {
    await host.stopMng();
    host.keep({ RUNNER_UPDATE_WHEN: "drain", RUNNER_AUTO_UPDATE: "off" });
    await mngRuns("2.0.0");
    const held = action(host.bed, { name: "held", wait: true });
    const job = await host.control.submit(held.file, host.runnerId);
    await until("it works", () => held.traces().includes("begin"), LIMIT);
    const rollback = host.cli("rollback", "--reason", "helm jobs hang");
    await until("it drains", () => host.journal().open?.phase === "stop", LIMIT);
    held.release();
    expect(await rollback).toMatchObject({ code: 0, stdout: "updated from 2.0.0 to 1.0.0\n" });
    expect((await host.control.ended(job)).status).toBe("finished");
    expect(held.traces()).toEqual(["begin", "worked", "second"]);
    await runs("1.0.0");
    expect(host.journal().bad.at(-1)).toMatchObject({ version: "2.0.0", reason: "helm jobs hang" });
    expect(await host.cli("update", "4.0.0")).toMatchObject({
      code: 1,
      stdout: expect.stringContaining("there is no version 4.0.0"),
    });
    expect(host.current()).toBe("1.0.0");
  });

  test("restart and shut-down are jobs too: the runner is another process, then mng is", async () => {
    const [runner, mng] = [host.runnerPid(), host.mngPid()];
    expect((await host.control.ended(await host.job("mng-runner-restart"))).status).toBe("finished");
    expect(host.runnerPid()).not.toBe(runner);
    await runs("1.0.0");
    const after = host.runnerPid();
    expect((await host.control.ended(await host.job("mng-shut-down"))).status).toBe("finished");
    await until("another mng runs", () => host.mngPid() !== null && host.mngPid() !== mng, LIMIT);
    expect(host.runnerPid()).toBe(after);
  });

  test("the machine is powered off only after the job is reported", async () => {
    await host.stopMng();
    const proof = host.bed.path("powered-off");
    const life = host.mng({ RUNNER_POWER_OFF: `touch ${proof}`, RUNNER_AUTO_UPDATE: "off" });
    const job = await host.job("mng-vm-shut-down");
    expect(await life.exited).toBe(0);
    expect((await host.control.ended(job)).status).toBe("finished");
    expect(await Bun.file(proof).exists()).toBe(true);
  });

  test("by a command alone, where no mng runs: whoever reads its output sees its end, the runner has a log of its own", async () => {
    const { code, stdout, stderr } = await host.cli("update", "2.0.0");
    expect([code, stdout]).toEqual([0, "updated from 1.0.0 to 2.0.0\n"]);
    await runs("2.0.0");
    const [, output = ""] = /the runner is started .*output=(\S+)/.exec(stderr) ?? [];
    expect([statSync(output).mode & 0o777, await Bun.file(output).text()]).toEqual([
      0o600,
      expect.stringContaining("connected dialect=native"),
    ]);
  });
});

describe("mng killed with SIGKILL in an update", () => {
  for (const place of FORTH) {
    test(`at ${place}: the next one brings it to its end, and the new version runs`, async () => {
      await host.stopMng();
      const next = host.current() === "1.0.0" ? "2.0.0" : "1.0.0";
      const before = host.current();
      await host.forget();
      await host.want(next);
      expect(await killedAt(place)).toBe(137);
      host.keep();
      await runs(next);
      expect(host.current()).toBe(next);
      expect(host.journal().last).toMatchObject({ version: next, from: before, outcome: "updated" });
    });
  }

  for (const place of BACK) {
    test(`at ${place} of a rollback: the next one goes all the way back, and the old version runs`, async () => {
      await host.stopMng();
      const before = host.current();
      await host.forget();
      await host.want("3.0.0-exits");
      expect(await killedAt(place)).toBe(137);
      host.keep();
      await until("it is over", () => host.journal().last?.outcome === "rolled-back", LIMIT);
      await runs(before);
      expect(host.current()).toBe(before);
    });
  }

  test("while the links name a version that cannot start: the guard of the version before counts, and goes back", async () => {
    await host.stopMng();
    const before = host.current();
    await host.forget();
    await host.want("3.0.0-exits");
    expect(await killedAt("switched")).toBe(137);
    expect(host.current()).toBe("3.0.0-exits");
    host.keep();
    await until("it is over", () => host.journal().last?.outcome === "rolled-back", LIMIT);
    await runs(before);
    expect(host.journal().last?.reason).toStartWith("it was started 3 times and never became healthy; ");
  });
});
