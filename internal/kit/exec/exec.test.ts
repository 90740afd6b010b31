import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RunnerError } from "../../protocol/errors.ts";
import type { Clock } from "../base/clock.ts";
import type { ProcessIdentity, RunningTool, SpawnOptions } from "./index.ts";
import { attachTool, findTool, identify, isSame, membersOf, readCode, spawnTool, stopTool, sweep } from "./index.ts";

let folder: string;
let fd: number;
let execution: string;
let count = 0;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "exec-"));
  fd = openSync(join(folder, "output"), "a", 0o600);
  execution = `exetest${process.pid}x${count++}`;
});
afterEach(async () => {
  await sweep(execution);
  closeSync(fd);
  rmSync(folder, { recursive: true, force: true });
});

const ENV = { PATH: process.env.PATH ?? "" };
const at = (name: string) => join(folder, name);
const output = () => readFileSync(at("output"), "utf8");
const start = (argv: readonly [string, ...string[]], more: Partial<SpawnOptions> = {}): RunningTool =>
  spawnTool({ argv, env: ENV, cwd: folder, outputFd: fd, codeFile: at("code"), executionId: execution, ...more });
const shell = (script: string, more: Partial<SpawnOptions> = {}) => start(["sh", "-c", script], more);

/** Real processes, but the waits of the ladder pass ten times as fast. */
const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now() * 10,
  sleep: (ms) => Bun.sleep(ms / 10),
};

/** Waits for a fact of another process to become true; the test's own time limit ends it. */
async function until(fact: () => boolean): Promise<void> {
  while (!fact()) await Bun.sleep(10);
}

function identityOf(tool: RunningTool): ProcessIdentity {
  if (!tool.identity) throw new Error("the tool has no identity");
  return tool.identity;
}

describe("a tool", () => {
  test("gets its arguments byte for byte: spaces, quotes, newlines, globs and dollars", async () => {
    const args = ["two words", `"quoted" 'both'`, "line\nbreak", "*", "$HOME", "", "-n", "ü"];
    const tool = start([process.execPath, "-e", "console.log(JSON.stringify(process.argv.slice(1)))", "--", ...args], {
      env: { ...ENV, BUN_BE_BUN: "1" },
    });
    expect(await tool.ended).toEqual({ code: 0, lost: false });
    expect(JSON.parse(output())).toEqual(args);
  });

  test("sees the given environment and its two marks, nothing of the runner's", async () => {
    process.env.RUNNER_TEST_LEAK = "secret";
    const tool = start(["env"], { env: { ...ENV, ONLY: "this" } });
    await tool.ended;
    delete process.env.RUNNER_TEST_LEAK;
    const names = output()
      .trim()
      .split("\n")
      .map((line) => line.split("=")[0]);
    // PWD and its like come from the shell itself.
    const own = names.filter((name) => !["PWD", "OLDPWD", "SHLVL", "_"].includes(name ?? ""));
    expect(own.sort()).toEqual(["ONLY", "PATH", "RUNNER_CODE", "RUNNER_EXECUTION"]);
  });

  test("inherits no open file of the runner", async () => {
    const secret = openSync(at("secret"), "w");
    await shell("ls -l /proc/self/fd").ended;
    closeSync(secret);
    expect(output()).not.toContain("secret");
  });

  test("leads a session and group of its own", async () => {
    const tool = shell("read -r s < /proc/$$/stat; set -- $s; echo $5 $6");
    await tool.ended;
    expect(output().trim()).toBe(`${tool.identity?.pid} ${tool.identity?.pid}`);
  });

  test("reads nothing from stdin unless a file is named", async () => {
    await shell("cat; echo end").ended;
    expect(output()).toBe("end\n");
    writeFileSync(at("in"), "from the file\n");
    await shell("cat", { stdin: at("in") }).ended;
    expect(output()).toBe("end\nfrom the file\n");
  });

  test("writes stdout to the capture file and stderr to the log", async () => {
    writeFileSync(at("capture"), "of an earlier run");
    await shell("echo machine; echo person >&2", { captureFile: at("capture") }).ended;
    expect(readFileSync(at("capture"), "utf8")).toBe("machine\n");
    expect(output()).toBe("person\n");
    expect(statSync(at("capture")).mode & 0o777).toBe(0o600);
  });
});

describe("the exit code", () => {
  for (const name of ["sh", "dash", "bash", "busybox", "ksh", "mksh"].filter((shell) => Bun.which(shell))) {
    test(`of a tool and of a signal that ended it survive in the file under ${name}`, async () => {
      let wrapper = Bun.which(name) ?? "";
      if (name === "busybox") {
        wrapper = at("bb");
        writeFileSync(wrapper, `#!/bin/sh\nexec busybox sh "$@"\n`, { mode: 0o755 });
      }
      expect(await shell("exit 7", { shell: wrapper }).ended).toEqual({ code: 7, lost: false });
      expect(readFileSync(at("code"), "utf8")).toBe("007\n");
      expect(await shell("kill -TERM $$", { shell: wrapper }).ended).toEqual({ code: 143, lost: false });
      expect(readFileSync(at("code"), "utf8")).toBe("143\n");
    });
  }

  test("file is private and says --- while the tool runs", async () => {
    const tool = shell("sleep 60");
    expect(readFileSync(at("code"), "utf8")).toBe("---\n");
    expect(statSync(at("code")).mode & 0o777).toBe(0o600);
    expect(readCode(at("code"))).toBeNull();
    await stopTool(tool, { first: "SIGTERM", grace_ms: 5_000 });
  });

  test("is overwritten in place: same inode, same four bytes, so a full disk cannot lose it", async () => {
    const tool = shell("while [ ! -e go ]; do sleep 0.02; done; exit 42");
    const before = statSync(at("code"));
    writeFileSync(at("go"), "");
    await tool.ended;
    const after = statSync(at("code"));
    expect([after.ino, after.size]).toEqual([before.ino, before.size]);
    expect(readCode(at("code"))).toBe(42);
  });

  test("is reported lost when the wrapper was killed, once the tool's own work has ended", async () => {
    const tool = shell(`while [ ! -e "${at("go")}" ]; do sleep 0.02; done; echo done`);
    await until(() => membersOf(tool.identity, execution).length >= 2);
    process.kill(identityOf(tool).pid, "SIGKILL");
    await until(() => !isSame(identityOf(tool)));
    expect(membersOf(tool.identity, execution)).not.toBeEmpty();
    writeFileSync(at("go"), "");
    expect(await tool.ended).toEqual({ code: null, lost: true });
    expect(output()).toContain("done");
  });
});

describe("the end of a tool", () => {
  test("is its own end, not that of a descendant that still holds the log", async () => {
    const tool = shell("sleep 300 & echo started; exit 3");
    expect(await tool.ended).toEqual({ code: 3, lost: false });
    const left = membersOf(tool.identity, execution);
    expect(left).toHaveLength(1);
    expect(await sweep(execution)).toMatchObject({ found: 1, survivors: [] });
    expect(membersOf(tool.identity, execution)).toBeEmpty();
  });

  test("is seen by an attached process when it comes", async () => {
    const tool = shell(`while [ ! -e "${at("go")}" ]; do sleep 0.02; done; exit 9`);
    const attached = attachTool({ identity: tool.identity, codeFile: tool.codeFile, executionId: execution });
    writeFileSync(at("go"), "");
    expect(await attached.ended).toEqual({ code: 9, lost: false });
  });
});

describe("after kill -9 of the process that spawned it", () => {
  const spawner = (script: string) => `
    import { openSync } from "node:fs";
    import { spawnTool } from ${JSON.stringify(join(import.meta.dir, "index.ts"))};
    const tool = spawnTool({ argv: ["sh", "-c", ${JSON.stringify(script)}], env: { PATH: process.env.PATH }, cwd: ${JSON.stringify(folder)},
      outputFd: openSync(${JSON.stringify(at("output"))}, "a"), codeFile: ${JSON.stringify(at("code"))}, executionId: ${JSON.stringify(execution)} });
    console.log(JSON.stringify(tool.identity));
    await Bun.sleep(1e9);`;

  async function orphan(script: string): Promise<ProcessIdentity> {
    writeFileSync(at("spawner.ts"), spawner(script));
    const parent = Bun.spawn([process.execPath, at("spawner.ts")], {
      env: { ...ENV, BUN_BE_BUN: "1" },
      stdout: "pipe",
      stderr: "inherit",
    });
    const reader = parent.stdout.getReader();
    const first = await reader.read();
    parent.kill("SIGKILL");
    await parent.exited;
    return JSON.parse(new TextDecoder().decode(first.value));
  }

  test("the tool works on, and its output and code are there for the next process", async () => {
    const identity = await orphan("echo before; while [ ! -e go ]; do sleep 0.02; done; echo after; exit 5");
    expect(isSame(identity)).toBeTrue();
    const attached = attachTool({ identity, codeFile: at("code"), executionId: execution });
    writeFileSync(at("go"), "");
    expect(await attached.ended).toEqual({ code: 5, lost: false });
    expect(output()).toBe("before\nafter\n");
  });

  test("a tool whose identity was never written down is found by its marks", async () => {
    const identity = await orphan("while [ ! -e go ]; do sleep 0.02; done; exit 6");
    expect(await findTool(execution, at("code"))).toEqual(identity);
    expect(await findTool(execution, at("other"))).toBeNull();
    const attached = attachTool({ identity: null, codeFile: at("code"), executionId: execution });
    writeFileSync(at("go"), "");
    expect(await attached.ended).toEqual({ code: 6, lost: false });
    expect(await findTool(execution, at("code"))).toBeNull();
  });

  test("a tool that died with it and left no code is lost", async () => {
    const identity = await orphan("sleep 300");
    process.kill(-identity.pid, "SIGKILL");
    expect(await attachTool({ identity, codeFile: at("code"), executionId: execution }).ended).toEqual({
      code: null,
      lost: true,
    });
  });
});

describe("an identity", () => {
  test("is never mistaken: another start time or another boot is another process", () => {
    const own = identify(process.pid);
    if (!own) throw new Error("no identity of this process");
    expect(isSame(own)).toBeTrue();
    expect(isSame({ ...own, startTime: "1" })).toBeFalse();
    expect(isSame({ ...own, bootId: "another" })).toBeFalse();
  });

  test("whose number went to a younger process gives no member of the stranger's group", async () => {
    const tool = shell("sleep 60");
    const stale = { ...identityOf(tool), startTime: "1" };
    expect(membersOf(stale, "nobody")).toBeEmpty();
    expect(
      await stopTool(
        { identity: stale, codeFile: at("none"), executionId: "nobody" },
        { first: "SIGTERM", grace_ms: 1 },
      ),
    ).toEqual({ by: "gone", survivors: [] });
    expect(isSame(identityOf(tool))).toBeTrue();
    await stopTool(tool, { first: "SIGTERM", grace_ms: 5_000 });
  });
});

describe("stopping", () => {
  const signals: string[] = [];
  const onSignal = (signal: string) => signals.push(signal);
  beforeEach(() => {
    signals.length = 0;
  });

  test("ends a willing tool with the first signal and returns before the grace is over", async () => {
    const tool = shell("sleep 300");
    expect(await stopTool(tool, { first: "SIGTERM", grace_ms: 3_600_000 }, { onSignal })).toEqual({
      by: "first",
      survivors: [],
    });
    expect(signals).toEqual(["SIGTERM"]);
    expect(await tool.ended).toEqual({ code: 143, lost: false });
  });

  test("in the very moment of the start loses no signal: the tool gets it, not the shell that starts it", async () => {
    for (let i = 0; i < 20; i++) {
      const tool = shell("sleep 300");
      await Bun.sleep(i % 4);
      expect((await stopTool(tool, { first: "SIGTERM", grace_ms: 3_600_000 })).by).toBe("first");
      expect(await tool.ended).toEqual({ code: 143, lost: false });
    }
  });

  test("sends INT once to the whole group, children of the tool included, and keeps the tool's own code", async () => {
    const child = `trap "echo child; exit 0" INT; echo up; while :; do sleep 0.02; done`;
    const tool = shell(`trap 'echo parent' INT; sh -c '${child}'; exit 4`);
    await until(() => output().includes("up"));
    await stopTool(tool, { first: "SIGINT", grace_ms: 10_000 }, { onSignal });
    expect(signals).toEqual(["SIGINT"]);
    expect(output()).toBe("up\nchild\nparent\n");
    expect(await tool.ended).toEqual({ code: 4, lost: false });
  });

  test("waits out the grace without a second signal, then TERM, then KILL, for a tool that ignores everything", async () => {
    const tool = shell(
      `trap 'echo int >> got' INT; trap 'echo term >> got' TERM; echo up; while :; do sleep 0.02; done`,
    );
    await until(() => output().includes("up"));
    const result = await stopTool(tool, { first: "SIGINT", grace_ms: 300, last: "SIGTERM" }, { onSignal, clock });
    expect(result).toEqual({ by: "kill", survivors: [] });
    expect(signals.slice(0, 3)).toEqual(["SIGINT", "SIGTERM", "SIGKILL"]);
    expect(readFileSync(at("got"), "utf8")).toBe("int\nterm\n");
    expect(await tool.ended).toEqual({ code: null, lost: true });
  });

  test("names the last rung when that one ended the tool", async () => {
    const tool = shell(`trap '' INT; echo up; while :; do sleep 0.02; done`);
    await until(() => output().includes("up"));
    expect(await stopTool(tool, { first: "SIGINT", grace_ms: 100, last: "SIGTERM" }, { onSignal, clock })).toEqual({
      by: "last",
      survivors: [],
    });
    expect(signals).toEqual(["SIGINT", "SIGTERM"]);
  });

  test("reaches a descendant that left the group by its mark", async () => {
    const tool = shell("setsid sh -c 'echo up; exec sleep 300' & sleep 300");
    await until(() => output().includes("up"));
    expect(await stopTool(tool, { first: "SIGTERM", grace_ms: 5_000 })).toMatchObject({ survivors: [] });
    expect(membersOf(tool.identity, execution)).toBeEmpty();
  });

  test("kills a descendant that dropped the mark but stayed in the group", async () => {
    const tool = shell(`env -i sh -c 'trap "" TERM; echo up; while :; do /bin/sleep 0.05; done' & sleep 300`);
    await until(() => output().includes("up"));
    expect(await stopTool(tool, { first: "SIGTERM", grace_ms: 200 })).toEqual({ by: "kill", survivors: [] });
    expect(membersOf(tool.identity, execution)).toBeEmpty();
  });

  test("a tool that has ended sends no signal", async () => {
    const tool = shell("true");
    await tool.ended;
    expect(await stopTool(tool, { first: "SIGINT", grace_ms: 1_000 }, { onSignal })).toEqual({
      by: "gone",
      survivors: [],
    });
    expect(signals).toBeEmpty();
  });

  test("sweeping kills what ignores TERM and leaves other executions alone", async () => {
    const stubborn = shell(`trap '' TERM; echo up; while :; do sleep 0.05; done`);
    const other = shell("sleep 300", { executionId: `${execution}other`, codeFile: at("code2") });
    await until(() => output().includes("up"));
    expect(await sweep(execution, { clock })).toMatchObject({ killed: true, survivors: [] });
    expect(isSame(identityOf(stubborn))).toBeFalse();
    expect(isSame(identityOf(other))).toBeTrue();
    await sweep(`${execution}other`);
  });
});

describe("a tool that cannot be started is refused with a remedy", () => {
  const refusal = (work: () => unknown): RunnerError => {
    try {
      work();
    } catch (error) {
      if (error instanceof RunnerError) return error;
      throw error;
    }
    throw new Error("it was started");
  };

  test("a program that is not on the PATH of the environment", () => {
    const error = refusal(() => start(["no-such-tool"]));
    expect(error.kind).toBe("environment");
    expect(error.message).toContain(`"no-such-tool" was not found`);
    expect(error.remedy).toContain("install no-such-tool");
    expect(existsSync(at("code"))).toBeFalse();
    expect(refusal(() => start(["ls"], { env: {} })).message).toContain("PATH is empty");
  });

  test("a file that is missing, a directory, not executable, or without its interpreter", () => {
    writeFileSync(at("plain"), "echo hi\n");
    writeFileSync(at("script"), "#!/no/such/interpreter -x\n", { mode: 0o755 });
    expect(refusal(() => start(["./missing"])).message).toContain("does not exist");
    expect(refusal(() => start(["/tmp/"])).message).toContain("is a directory");
    expect(refusal(() => start(["./plain"])).message).toContain("not executable");
    expect(refusal(() => start(["./script"])).message).toContain("/no/such/interpreter");
  });

  test("a working directory or an input file that is missing", () => {
    expect(refusal(() => shell("true", { cwd: at("nowhere") })).message).toContain("does not exist");
    expect(refusal(() => shell("true", { stdin: at("nothing") })).message).toContain("could not be started");
  });
});
