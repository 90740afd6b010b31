import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../kit/base/clock.ts";
import { bootId } from "../../kit/exec/index.ts";
import { openForTool } from "../../kit/logs/output-file.ts";
import type { StopReason, ToolRun } from "../handler.ts";
import { executionFolder } from "./execution-folder.ts";
import { openJournal } from "./journal.ts";
import { removeFolders, tempFolder } from "./test-bed.ts";
import { createToolRunner } from "./tool-runner.ts";

afterEach(removeFolders);

const KEY = { id: `exe-${process.pid}`, epoch: 1 };

/** Tools of one execution, as one process of the runner sees them; `stateDir` outlives it. */
function life(stateDir = tempFolder(), key = KEY) {
  const journal = openJournal(stateDir);
  const folder = executionFolder(stateDir, key);
  folder.make();
  const controller = new AbortController();
  const notes: string[] = [];
  const codes: (number | null)[] = [];
  const tools = createToolRunner({
    key,
    folder,
    journal,
    clock: systemClock,
    ladder: { first: "SIGTERM", grace_ms: 5_000 },
    signal: controller.signal,
    openOutput: () => openForTool(folder.output),
    mark: () => () => "the tail",
    starting: () => {},
    ended: (_, end) => void codes.push(end.code),
    note: (text) => void notes.push(text),
  });
  const trace = join(stateDir, "trace");
  const sh = (script: string, over: Partial<ToolRun> = {}): ToolRun => ({
    key: "step-0",
    argv: ["/bin/sh", "-c", script, "sh", trace],
    env: { PATH: process.env.PATH ?? "/usr/bin:/bin" },
    cwd: folder.work,
    ...over,
  });
  return {
    stateDir,
    journal,
    folder,
    tools,
    notes,
    codes,
    sh,
    trace: () => (existsSync(trace) ? readFileSync(trace, "utf8").trim().split("\n") : []),
    stop: (kind: StopReason["kind"]) => controller.abort({ kind, why: `${kind} by the test` }),
    /** As a SIGKILL of the runner: its tools go on, nothing more is written. */
    die: () => {
      controller.abort({ kind: "abandoned", why: "the runner goes" });
      journal.close();
    },
  };
}

/** Works until it is let go, and says that it began and ended. */
const GATED = 'echo began >> "$1"; while [ ! -e "$1.go" ]; do sleep 0.02; done; echo worked >> "$1"; exit 7';
const until = async (what: () => boolean) => {
  while (!what()) await Bun.sleep(10);
};

describe("a tool of a job", () => {
  test("ends with its own code, and only an expected one is no failure", async () => {
    const { tools, sh, codes, journal } = life();
    expect(await tools.exec(sh("exit 0"))).toMatchObject({ code: 0, tail: "the tail" });
    expect(await tools.exec(sh("exit 2", { key: "plan", expect: [0, 2] }))).toMatchObject({ code: 2 });
    await expect(tools.exec(sh("exit 3", { key: "bad" }))).rejects.toMatchObject({ key: "bad", end: { code: 3 } });
    expect(codes).toEqual([0, 2, 3]);
    expect(journal.tools(KEY).map((row) => row.state)).toEqual(["ended", "ended", "ended"]);
  });

  test("runs once under its key: called again, also after a restart, it answers what it did then", async () => {
    const first = life();
    const tool = (bed: typeof first) => bed.sh('echo ran >> "$1"; exit 5', { expect: [5] });
    expect((await first.tools.exec(tool(first))).code).toBe(5);
    expect((await first.tools.exec(tool(first))).code).toBe(5);
    first.die();
    const second = life(first.stateDir);
    expect((await second.tools.exec(tool(second))).code).toBe(5);
    expect(second.trace()).toEqual(["ran"]);
  });

  test("that lives on when the runner dies is taken up again, with its exit code", async () => {
    const first = life();
    void first.tools.exec(first.sh(GATED));
    await until(() => first.trace().includes("began"));
    first.die();
    const second = life(first.stateDir);
    const ended = second.tools.exec(second.sh(GATED, { expect: [7] }));
    await until(() => second.notes.length > 0);
    expect(second.notes).toEqual(["step-0: re-attached after a restart of the runner"]);
    writeFileSync(join(first.stateDir, "trace.go"), "");
    expect((await ended).code).toBe(7);
    expect(second.trace()).toEqual(["began", "worked"]);
  });

  test("that ended while no runner was there has its code all the same", async () => {
    const first = life();
    void first.tools.exec(first.sh(GATED));
    await until(() => first.trace().includes("began"));
    first.die();
    writeFileSync(join(first.stateDir, "trace.go"), "");
    await until(() => first.trace().includes("worked"));
    const second = life(first.stateDir);
    expect((await second.tools.exec(second.sh(GATED, { expect: [7] }))).code).toBe(7);
    expect(second.trace()).toEqual(["began", "worked"]);
  });

  test("that was only intended when the runner died is started now", async () => {
    const { tools, sh, journal, trace } = life();
    journal.writeNow(() => journal.toolIntent(KEY, "step-0", bootId(), 1));
    expect((await tools.exec(sh('echo ran >> "$1"'))).code).toBe(0);
    expect(trace()).toEqual(["ran"]);
  });

  test("that ran when the machine went down is not run again: its code is lost", async () => {
    const { tools, sh, journal, trace } = life();
    journal.writeNow(() => {
      journal.toolIntent(KEY, "step-0", "another boot", 1);
      journal.toolRunning(KEY, "step-0", 1, "1", "another boot");
    });
    await expect(tools.exec(sh('echo ran >> "$1"'))).rejects.toMatchObject({ end: { code: null } });
    expect(trace()).toEqual([]);
  });
});

describe("a job that is stopped", () => {
  test("stops its tool by the ladder, and is over when the tool is dead", async () => {
    const { tools, sh, stop, trace, notes } = life();
    const running = tools.exec(sh(`trap 'echo asked >> "$1"; exit 0' TERM; ${GATED}`));
    await until(() => trace().includes("began"));
    stop("cancelled");
    await expect(running).rejects.toMatchObject({ stop: { kind: "cancelled" } });
    expect(trace()).toEqual(["began", "asked"]);
    expect(notes).toEqual(["stopping: cancelled by the test", "sent SIGTERM"]);
    expect(tools.stopping()).toBe(false);
  });

  test("starts no tool any more", async () => {
    const { tools, sh, stop, trace } = life();
    stop("timed-out");
    await expect(tools.exec(sh('echo ran >> "$1"'))).rejects.toMatchObject({ stop: { kind: "timed-out" } });
    expect(trace()).toEqual([]);
  });

  test("before it took its tool up again ends that tool by the same ladder", async () => {
    const first = life();
    void first.tools.exec(first.sh(`trap 'echo asked >> "$1"; exit 0' TERM; ${GATED}`));
    await until(() => first.trace().includes("began"));
    first.die();
    const second = life(first.stateDir);
    second.stop("fenced");
    await second.tools.stopRest();
    expect(second.trace()).toEqual(["began", "asked"]);
    await second.tools.stopRest();
    expect(second.notes).toEqual(["stopping: fenced by the test", "sent SIGTERM"]);
  });
});
