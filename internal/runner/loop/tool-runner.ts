import { closeSync } from "node:fs";
import type { Clock } from "../../kit/base/clock.ts";
import { failpoint } from "../../kit/base/failpoint.ts";
import { attachTool, bootId, findTool, type RunningTool, readCode, spawnTool, stopTool } from "../../kit/exec/index.ts";
import { type CancelLadder, StopError, type StopReason, type ToolEnd, ToolError, type ToolRun } from "../handler.ts";
import type { ExecutionFolder } from "./execution-folder.ts";
import type { ExecutionKey, Journal } from "./journal.ts";

/**
 * Runs the tools of one execution so that each `key` runs once, whatever dies: an intent row before the spawn, the
 * identity after it, the end from the wrapper's code file. After a restart the same call finds the tool again.
 */
export interface ToolRunnerDeps {
  readonly key: ExecutionKey;
  readonly folder: ExecutionFolder;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly ladder: CancelLadder;
  readonly signal: AbortSignal;
  /** Puts a tool inside the job's limits. Default: it runs as it is. */
  readonly limit?: (tool: ToolRun) => ToolRun["argv"];
  /** Opens the execution's output file for appending. */
  readonly openOutput: () => number;
  /** What the log got since this mark, redacted (ToolEnd.tail). */
  readonly mark: () => () => string;
  /** Told before a tool is spawned. */
  readonly starting: (tool: ToolRun) => void;
  readonly ended: (tool: ToolRun, end: { code: number | null; startedMs: number; durationMs: number }) => void;
  readonly note: (text: string) => void;
}

export function createToolRunner(deps: ToolRunnerDeps) {
  const { key, folder, journal, clock, signal } = deps;
  let stopping = 0;

  const byLadder = async (running: RunningTool): Promise<void> => {
    deps.note(`stopping: ${(signal.reason as StopReason).why}`);
    stopping++;
    try {
      await stopTool(running, deps.ladder, { clock, onSignal: (name) => deps.note(`sent ${name}`) });
      await running.ended;
    } finally {
      stopping--;
    }
  };

  /** The tool's own end, or its end by the cancel ladder when the job is stopped first. */
  const untilEnd = async (running: RunningTool): Promise<number | null> => {
    const stopped = new Promise<StopReason>((resolve) => {
      if (signal.aborted) resolve(signal.reason as StopReason);
      else signal.addEventListener("abort", () => resolve(signal.reason as StopReason), { once: true });
    });
    const first = await Promise.race([running.ended.then((end) => ({ end })), stopped.then((stop) => ({ stop }))]);
    if ("end" in first) return first.end.code;
    if (first.stop.kind === "abandoned") return new Promise(() => {}); // the process ends now; the tool goes on
    await byLadder(running);
    throw new StopError(first.stop);
  };

  /** Already running or over since before a restart; null: to be started now. */
  const recall = async (tool: ToolRun): Promise<RunningTool | { code: number | null; durationMs: number } | null> => {
    const row = journal.tool(key, tool.key);
    if (!row) return null;
    if (row.state === "ended") return { code: row.code, durationMs: row.durationMs ?? 0 };
    const codeFile = folder.codeFile(tool.key);
    if (row.bootId !== bootId()) return { code: readCode(codeFile), durationMs: 0 };
    const identity =
      row.pid !== null && row.startTime !== null
        ? { pid: row.pid, startTime: row.startTime, bootId: row.bootId }
        : await findTool(key.id, codeFile);
    // An intent without process and without code: the runner died before the spawn, so nothing ran.
    if (!identity && readCode(codeFile) === null) return null;
    return attachTool({ identity, codeFile, executionId: key.id });
  };

  const start = (tool: ToolRun): RunningTool => {
    deps.starting(tool);
    journal.writeNow(() => journal.toolIntent(key, tool.key, bootId(), clock.now()));
    failpoint("runner.exec.intent");
    const fd = deps.openOutput();
    try {
      const running = spawnTool({
        argv: deps.limit ? deps.limit(tool) : tool.argv,
        env: tool.env,
        cwd: tool.cwd,
        outputFd: fd,
        codeFile: folder.codeFile(tool.key),
        executionId: key.id,
        ...(tool.stdin === undefined ? {} : { stdin: tool.stdin }),
        ...(tool.capture === undefined ? {} : { captureFile: tool.capture }),
      });
      failpoint("runner.exec.spawned");
      const { identity } = running;
      if (identity)
        journal.writeNow(() => journal.toolRunning(key, tool.key, identity.pid, identity.startTime, identity.bootId));
      return running;
    } finally {
      closeSync(fd);
    }
  };

  const exec = async (tool: ToolRun): Promise<ToolEnd> => {
    if (signal.aborted) throw new StopError(signal.reason as StopReason);
    const tail = deps.mark();
    const recalled = await recall(tool);
    const startedMs = journal.tool(key, tool.key)?.startedMs ?? clock.now();
    let end: { code: number | null; durationMs: number };
    if (recalled && "durationMs" in recalled) {
      end = recalled;
    } else {
      if (recalled) deps.note(`${tool.key}: re-attached after a restart of the runner`);
      const running = recalled ?? start(tool);
      const code = await untilEnd(running);
      end = { code, durationMs: Math.max(0, clock.now() - startedMs) };
      journal.writeNow(() => journal.toolEnded(key, tool.key, end.code, end.durationMs));
    }
    failpoint("runner.exec.ended");
    deps.ended(tool, { ...end, startedMs });
    const result: ToolEnd = { code: end.code, duration_ms: end.durationMs, tail: tail() };
    if (end.code === null || !(tool.expect ?? [0]).includes(end.code)) throw new ToolError(tool.key, result);
    return result;
  };

  /**
   * A job that is stopped before it took its tools up again (a cancel or a lost lease told at the restart, a deadline
   * that passed while the runner was away): they end by the same ladder.
   */
  const stopRest = async (): Promise<void> => {
    for (const row of journal.tools(key)) {
      const codeFile = folder.codeFile(row.name);
      if (row.state === "ended" || row.bootId !== bootId() || readCode(codeFile) !== null) continue;
      const identity = await findTool(key.id, codeFile);
      if (identity) await byLadder(attachTool({ identity, codeFile, executionId: key.id }));
    }
  };

  return {
    exec,
    stopRest,
    /** A tool is on its cancel ladder right now. */
    stopping: () => stopping > 0,
  };
}
