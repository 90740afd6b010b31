import { afterEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeGroup } from "./cgroup.ts";
import { createLimiter, type Limiter, sizeText } from "./limits.ts";

const folders: string[] = [];
const limiters: Limiter[] = [];
afterEach(async () => {
  for (const limiter of limiters.splice(0)) await limiter.release();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});
function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "limits-"));
  folders.push(made);
  return made;
}

const MIB = 2 ** 20;
const denied = () => {
  throw new Error("EROFS");
};

/** A limiter on this machine, or on one with other means; `run` runs a shell script inside it. */
function limited(
  limits: { cpu?: number; memory?: number; pids?: number },
  means: { make?: typeof makeGroup; tools?: boolean } = {},
) {
  const notes: string[] = [];
  const limiter = createLimiter({
    limits: { cpu: limits.cpu ?? null, memoryBytes: limits.memory ?? null, pids: limits.pids ?? null },
    name: `runner-test-${process.pid}-${crypto.randomUUID()}`,
    note: (text, level) => notes.push(`${level}: ${text}`),
    ...(means.make ? { make: means.make } : {}),
    ...(means.tools === false ? { find: () => null } : {}),
  });
  limiters.push(limiter);
  const run = (script: string) => {
    const argv = limiter.wrap(["sh", "-c", script], process.env.PATH, "/");
    const done = Bun.spawnSync([...argv], { stderr: "pipe" });
    return { code: done.exitCode, out: done.stdout.toString().trim() };
  };
  return { limiter, notes, run };
}

/** More than 64 MiB in one process. */
const GREEDY = 'exec bun -e "const b = Buffer.alloc(400 * 1024 * 1024, 1); console.log(b.length)"'.replace(
  "bun",
  process.execPath,
);

describe("limits of a job", () => {
  test("end a tool that takes more memory, and leave one that stays below alone, by whatever this machine has", () => {
    const { notes, run } = limited({ memory: 150 * MIB });
    expect(run("echo fine")).toEqual({ code: 0, out: "fine" });
    expect(run(GREEDY).code).not.toBe(0);
    expect(notes).toHaveLength(1);
    expect(notes[0]).toContain("memory 150 MiB");
  });

  test("stop a tool from starting more processes than it may, or say that nothing does", () => {
    const { limiter, notes, run } = limited({ pids: 8 });
    const { out } = run("for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 60 >/dev/null 2>&1 & echo $!; done; echo all");
    const started = out.split("\n").filter((line) => /^\d+$/.test(line));
    for (const pid of started) process.kill(Number(pid), "SIGKILL");
    if (notes[0]?.includes("enforced by a control group")) {
      expect(out).not.toContain("all");
      expect(started.length).toBeLessThan(8);
    } else expect([started.length, notes[0]]).toEqual([12, expect.stringContaining("NOT enforced on this machine")]);
    expect(limiter.outOfMemory()).toBe(false);
  });

  test("without control groups hold memory for each process, and say so", () => {
    const { notes, run } = limited({ memory: 150 * MIB }, { make: denied });
    expect(run("ulimit -d").out).toBe(String((150 * MIB) / 1024));
    expect(run(GREEDY).code).not.toBe(0);
    expect(notes).toEqual([
      "warn: resources: memory 150 MiB: holds for each process alone, not for their sum (no control group: EROFS)",
    ]);
  });

  test("without control groups keep the work on as many processors as asked, when there are more", () => {
    const { notes, run } = limited({ cpu: 0.5 }, { make: denied });
    const processors = Number(Bun.spawnSync(["nproc"]).stdout.toString());
    expect(run("nproc").out).toBe("1");
    if (processors > 1) expect(notes[0]).toContain(`kept on 1 of ${processors} processors`);
  });

  test("that cannot be enforced at all are said aloud, and the tool runs", () => {
    const { notes, run } = limited({ cpu: 0.5, memory: 150 * MIB }, { make: denied, tools: false });
    expect(run("echo ran").out).toBe("ran");
    expect(notes).toEqual([
      "warn: resources: memory 150 MiB: NOT enforced on this machine (no control group: EROFS)",
      "warn: resources: cpu 0.5: NOT enforced on this machine (no control group: EROFS)",
    ]);
  });

  test("that a tool cannot enter end it instead of letting it run without", () => {
    const make = () => ({ procs: join(folder(), "gone/cgroup.procs"), oomKills: () => 0, remove: () => true });
    expect(limited({ cpu: 1 }, { make }).run("echo ran")).toEqual({ code: 125, out: "" });
  });

  test("of an execution taken up again after a restart are found again silently, told of memory, and removed", async () => {
    const notes: string[] = [];
    const removed: string[] = [];
    let busy = 2;
    const limiter = createLimiter({
      limits: { cpu: null, memoryBytes: MIB, pids: null },
      name: "runner-exe1.1",
      resumed: true,
      note: (text) => notes.push(text),
      files: () => ({ cgroup: "", mounts: "" }),
      make: (_files, controller, name) => ({
        procs: "",
        oomKills: () => 1,
        remove: () => busy-- <= 0 && removed.push(`${controller} ${name}`) > 0,
      }),
    });
    expect(limiter.outOfMemory()).toBe(true);
    await limiter.release();
    expect(removed).toEqual(["memory runner-exe1.1"]);
    expect(notes).toEqual([]);
  });

  test("name a missing program as it is named without them", () => {
    const { limiter } = limited({ cpu: 1 }, { make: denied });
    expect(() => limiter.wrap(["no-such-program"], "/usr/bin", "/")).toThrow('program "no-such-program" was not found');
  });
});

describe("a control group of version 2", () => {
  /** A tree of plain files in place of the kernel's. */
  function tree(own: string, controllers: string) {
    const mount = folder();
    mkdirSync(join(mount, own), { recursive: true });
    for (const place of ["", own]) writeFileSync(join(mount, place, "cgroup.subtree_control"), controllers);
    return { mount, files: { cgroup: `0::/${own}\n`, mounts: `none ${mount} cgroup2 rw 0 0\n` } };
  }

  test("is made below our own with its limit, and counts what the kernel ended", () => {
    const { mount, files } = tree("system.slice/runner.service", "cpu memory pids");
    const group = makeGroup(files, "memory", "exe1", 64 * MIB);
    const made = join(mount, "system.slice/runner.service/exe1");
    expect(readFileSync(join(made, "memory.max"), "utf8")).toBe(String(64 * MIB));
    expect(group.procs).toBe(join(made, "cgroup.procs"));
    expect(group.oomKills()).toBe(0);
    writeFileSync(join(made, "memory.events"), "low 0\noom 1\noom_kill 2\n");
    expect(group.oomKills()).toBe(2);
    makeGroup(files, "cpu", "exe1", 1.5);
    expect(readFileSync(join(made, "cpu.max"), "utf8")).toBe("150000 100000");
    makeGroup(files, "pids", "exe1", 100);
    expect(readFileSync(join(made, "pids.max"), "utf8")).toBe("100");
    expect(readdirSync(mount).sort()).toEqual(["cgroup.subtree_control", "system.slice"]);
  });

  test("is refused where no hierarchy limits it", () => {
    const files = { cgroup: "0::/\n", mounts: "none /sys/fs/cgroup/systemd cgroup rw,name=systemd 0 0\n" };
    expect(() => makeGroup(files, "memory", "exe1", MIB)).toThrow("no control group of this machine limits memory");
  });
});

test("a size is told in the unit that a person would take", () => {
  expect([4 * 2 ** 30, 1.5 * 2 ** 30, 512 * MIB, 100].map(sizeText)).toEqual(["4 GiB", "1.5 GiB", "512 MiB", "100 B"]);
});
