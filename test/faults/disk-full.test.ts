import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { addRunner, type Control, startControl } from "./lib/control.ts";
import { action, terraform, terraformTest } from "./lib/jobs.ts";
import { type Bed, makeBed, until } from "./lib/processes.ts";
import { type Fault, startProxy } from "./lib/proxy.ts";

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

  test("a tool that fills the disk fails by its own error; what it wrote till then is delivered, and the runner lives on", async () => {
    const runner = await addRunner(bed, control, { stateDir: `${disk}/state`, flags: ["--min-free", "64KiB"] });
    const sample = action(bed, {
      body: `head -c 8000000 /dev/zero | tr '\\0' 'x' | fold -w 99\necho worked >> "${bed.path("act.trace")}"\n`,
    });
    const doc = await control.ended(await control.submit(sample.file));
    expect(doc.status).toBe("failed");
    expect(doc.reason).toContain('step "first" exited with 1');
    expect(doc.events.filter((event) => ["finished", "failed"].includes(event.what))).toHaveLength(1);
    expect((await control.log(doc.id)).length).toBeGreaterThan(1_000_000);
    expect(sample.traces()).toEqual([]);
    const next = await control.submit(action(bed, { name: "next" }).file);
    expect((await control.ended(next)).status).toBe("finished");
    expect(runner.proc.alive()).toBe(true);
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

test("output that does not fit is dropped with a notice that counts it, and the job ends with its outcome", async () => {
  bed = makeBed();
  control = await startControl(bed);
  const proxy = startProxy(control.url);
  try {
    // Nobody takes the log, and --log-cap holds less than a third of it.
    const refusal: Fault = { on: /POST .*\/logs$/, what: "500" };
    proxy.faults = [refusal];
    await addRunner(bed, control, { url: proxy.url, flags: ["--log-cap", "1MiB"] });
    const lines = 40_000;
    const sample = action(bed, {
      body: `yes ${"x".repeat(98)} | head -n ${lines}\necho begin >> "${bed.path("act.trace")}"\nwhile [ ! -e "${bed.path("act.gate")}" ]; do sleep 0.05; done\n`,
    });
    const job = await control.submit(sample.file);
    await until("all is printed", () => sample.traces().includes("begin"));
    await until("shipping was refused for a while", () => proxy.hits(refusal) >= 3);
    proxy.faults = [];
    sample.release();
    expect((await control.ended(job)).status).toBe("finished");
    const log = await control.log(job);
    const counted = [...log.matchAll(/(\d+) bytes of output are missing here/g)].reduce(
      (sum, [, n]) => sum + Number(n),
      0,
    );
    const delivered = (log.match(/x/g)?.length ?? 0) + (log.match(/^x+$/gm)?.length ?? 0);
    expect(counted).toBeGreaterThan(1_000_000);
    expect(delivered).toBeGreaterThan(500_000);
    expect(counted + delivered).toBe(lines * 99);
  } finally {
    proxy.stop();
    await bed.end();
  }
}, 90_000);
