import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { addRunner, type Control, startControl } from "./lib/control.ts";
import { action, terraform, terraformTest } from "./lib/jobs.ts";
import { type Bed, makeBed, until } from "./lib/processes.ts";

let bed: Bed;
let control: Control;
let disk: string;

const mounts = (() => {
  const probe = `/tmp/runner-mount-probe-${process.pid}`;
  mkdirSync(probe, { recursive: true });
  const able = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", probe]).status === 0;
  if (able) spawnSync("umount", [probe]);
  rmSync(probe, { recursive: true, force: true });
  return able;
})();

/** A state file system of 2 MB. Without the right to mount it is skipped by name; CI makes that a failure. */
describe.skipIf(!mounts && process.env.CI !== "true")("a state file system of 2 MB [mount]", () => {
  beforeEach(async () => {
    bed = makeBed();
    control = await startControl(bed);
    disk = bed.path("disk");
    mkdirSync(disk);
    expect(spawnSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", disk]).status).toBe(0);
  });
  afterEach(async () => {
    spawnSync("umount", ["-l", disk]);
    await bed.end();
  });

  test("output that does not fit is dropped with a notice that counts it, and the job ends with its outcome", async () => {
    await addRunner(bed, control, { stateDir: `${disk}/state`, flags: ["--min-free", "64KiB"] });
    const sample = action(bed, {
      body: `head -c 8000000 /dev/zero | tr '\\0' 'x' | fold -w 99\necho worked >> "${bed.path("act.trace")}"\n`,
    });
    const job = await control.submit(sample.file);
    const doc = await control.ended(job);
    expect(["finished", "failed"]).toContain(doc.status);
    expect(doc.events.filter((event) => ["finished", "failed"].includes(event.what))).toHaveLength(1);
  }, 90_000);

  test("below --min-free no work is taken; with room again it is", async () => {
    mkdirSync(`${disk}/state`, { recursive: true });
    const runner = await addRunner(bed, control, { stateDir: `${disk}/state`, flags: ["--min-free", "1MiB"] });
    await until("the runner is online", async () => (await control.runners())[0]?.contact === "online");
    writeFileSync(`${disk}/filler`, new Uint8Array(1_200_000));
    await runner.restart();
    await until("it says so", () => runner.proc.stderr().includes("too little free space"));
    const sample = action(bed);
    const job = await control.submit(sample.file);
    await Bun.sleep(1_000);
    expect(sample.traces()).toEqual([]);
    rmSync(`${disk}/filler`);
    expect((await control.ended(job)).status).toBe("finished");
  }, 90_000);

  terraformTest(
    "a disk that fills up in mid-apply: the state is saved on the coordinator and one outcome is recorded",
    async () => {
      await addRunner(bed, control, { stateDir: `${disk}/state`, flags: ["--min-free", "64KiB"] });
      const sample = terraform(bed, { wait: true });
      const job = await control.submit(sample.file);
      await until("the apply works", () => sample.traces().includes("begin"));
      spawnSync("sh", ["-c", `cat /dev/zero > ${disk}/filler`]);
      sample.release();
      const doc = await control.ended(job);
      expect(sample.traces()).toEqual(["begin", "worked"]);
      expect(["finished", "failed"]).toContain(doc.status);
      const [workspace] = await control.workspaces();
      expect(workspace?.serial).toBeGreaterThan(0);
      expect(workspace?.lock).toBeNull();
      expect(existsSync(`${disk}/filler`)).toBe(true);
    },
    90_000,
  );
});
