import type { Clock } from "../../kit/base/clock.ts";
import { sizeText } from "../../kit/exec/index.ts";
import type { ExecutionStatus, JobGroup } from "../../protocol/enums.ts";
import { reasonOf } from "../../protocol/errors.ts";
import type { Completion, RenewRequest } from "../../protocol/native.ts";
import { nsToMs } from "../../protocol/nuon/base.ts";
import type { ExecutionRef, Work } from "../controlplane/control-plane.ts";
import type { Handler, RunnerControl, SourceFetcher, SourceScope, StopReason } from "../handler.ts";
import type { RunnerDeps, RunnerOptions } from "../runner.ts";
import { createEnd } from "./execution-end.ts";
import type { Journal } from "./journal.ts";
import { type Ended, type Phase, runLifecycle } from "./lifecycle.ts";
import type { PolicyGate } from "./policy-gate.ts";
import type { Recorder } from "./recorder.ts";
import { signerOf } from "./signature-gate.ts";
import { createWorkbench } from "./workbench.ts";

/** A job without an execution timeout gets the server's default (nuon-runner-api.md 9.1). */
export const DEFAULT_EXECUTION_TIMEOUT_MS = 5 * 60_000;

export interface ExecutionDeps {
  readonly options: RunnerOptions;
  readonly deps: RunnerDeps;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly control: RunnerControl;
  readonly sources: (scope: SourceScope) => SourceFetcher;
  readonly record: Recorder;
  /** Progress to tell the control plane. */
  readonly changed: () => void;
  /** Aborted when the process goes: what is undelivered stays in the journal. */
  readonly processSignal: AbortSignal;
}

export interface LiveExecution {
  readonly ref: ExecutionRef;
  readonly group: JobGroup;
  readonly jobType: string;
  /** ms since the epoch; of this process, when an earlier one began it. */
  readonly startedMs: number;
  stop(reason: StopReason): void;
  /** A secret that came while it runs: out of its log from now on, after a restart too. */
  hide(secret: string): void;
  progress(): RenewRequest["executions"][number];
  /** The work is over (its slot is free). */
  readonly over: Promise<void>;
  /** Reported, cleaned up, forgotten. */
  readonly settled: Promise<void>;
}

export interface Begin {
  readonly work: Work;
  readonly group: JobGroup;
  readonly handler: Handler;
  readonly deadlineMs: number;
  /** Steps that were over before a restart. */
  readonly done: readonly string[];
  /** Nonce of the output file from before a restart. */
  readonly nonce: string | null;
  /** false: the values to redact are gone, so the log is withheld. */
  readonly redactable: boolean;
  /** Values to redact from before a restart; registered before the first log byte is read. */
  readonly secrets: readonly string[];
  /** The outcome from before a restart: only report and cleanup are left. */
  readonly completion?: Completion;
}

const limitOf = (work: Work): number => nsToMs(work.job.execution_timeout) || DEFAULT_EXECUTION_TIMEOUT_MS;

/** Wall-clock end of an execution that starts now. */
export function deadlineOf(work: Work, now: number): number {
  return now + limitOf(work);
}

/** Runs one execution from its first step, or from where a restart found it, to its last trace. */
export function beginExecution(shared: ExecutionDeps, begin: Begin): LiveExecution {
  const { options, deps, journal, clock, processSignal } = shared;
  const { work, handler, group } = begin;
  const ref = work.execution;
  const key = { id: ref.id, epoch: ref.epoch };
  const controller = new AbortController();
  const { signal } = controller;
  const at: Standing = { phase: "fetch", status: "pending" };
  const stop = (reason: StopReason) => {
    if (!signal.aborted) controller.abort(reason);
  };
  const record = shared.record(work, {
    resumed: begin.nonce !== null,
    kept: begin.completion !== undefined,
    sinceMs: begin.deadlineMs - limitOf(work),
  });
  const phase = () => at.phase;
  const { folder, output, steps, tools, context, gate, limiter } = createWorkbench(shared, begin, {
    signal,
    phase,
    record,
  });
  const end = createEnd({
    ref,
    handler,
    folder,
    output,
    context,
    journal,
    clock,
    log: deps.log,
    controlPlane: deps.controlPlane,
    steps: steps.reports,
    // Where the outcome is kept and the sealed file is gone, the handler's cleanup was over before the restart.
    begunBefore: begin.done.length > 0 && !(begin.completion && begin.nonce === null),
    kept: begin.completion !== undefined,
    at: (phase) => {
      at.phase = phase;
      record.entering(phase);
      if (phase === "cleanup") at.status = "cleaning-up";
    },
    cleaned: record.left,
    processSignal,
  });

  const entering = async (next: Phase, status: ExecutionStatus, done: readonly string[]) => {
    at.phase = next;
    at.status = status;
    record.entering(next, next === "fetch" || next === "execute" || handler[next] !== undefined);
    // A job without a plan leaves nothing behind that a restart could go on from: it is simply run again.
    if (handler.plan !== null && (handler[next] || next === "execute"))
      await journal.write(() => journal.setPhase(key, next, done));
    await deps.controlPlane.status?.(ref, status, processSignal);
  };
  const run = async (): Promise<Ended | null> => {
    if (begin.completion) return begin.completion;
    const inTime = stopAtDeadline(begin, clock, stop);
    const outcome = await runLifecycle({
      handler: judged(handler, gate),
      signal,
      done: begin.done,
      context: async () => {
        if (begin.done.length === 0) {
          const asked = {
            trust: deps.trust ?? null,
            runnerId: options.runnerId ?? "",
            dialect: deps.controlPlane.dialect,
          };
          record.signed(signerOf(asked, work, clock.now()));
        }
        const ctx = await context.get();
        gate.admit(ctx, begin.done.length > 0);
        return ctx;
      },
      savedResult: folder.loadResult,
      saveResult: (result) => result === null || folder.saveResult(result),
      entering,
      secretIn: (text) => output.redactor.redactText(text) !== text,
      toolStopping: tools.stopping,
      sleep: (ms) => clock.sleep(ms),
    });
    inTime.abort();
    const ended = limiter?.outOfMemory() ? outOfMemory(outcome, work) : outcome;
    if (signal.aborted && (signal.reason as StopReason).kind !== "abandoned") await tools.stopRest();
    if (ended && ended.status !== "finished") output.log.error(ended.reason);
    return ended;
  };

  const over = run();
  const settled = over.then(async (ended) => {
    record.over(ended, signal.aborted ? (signal.reason as StopReason) : null, output.redactor.redactText);
    if (ended) return end.report(ended);
    if (signal.aborted && (signal.reason as StopReason).kind === "abandoned") return;
    await end.vanish();
  });
  return {
    ref,
    group,
    jobType: work.job.type,
    startedMs: record.startedMs,
    stop,
    hide: (secret) => (context.made()?.secrets ?? output.redactor).register(secret),
    progress: () => ({ execution_id: key.id, epoch: key.epoch, ...at, steps: steps.reports() }),
    // How it went is told by `settled`; its slot is free either way.
    over: over.then(nothing, nothing),
    settled: settled
      .catch((error: unknown) => {
        const reason = output.redactor.redactText(reasonOf(error));
        deps.log.error("a job could not be brought to its end", { execution: key.id, reason });
      })
      .finally(() => limiter?.release())
      .finally(record.settled),
  };
}

/** The plan a handler made is nobody's before the policy has seen it. */
const judged = (handler: Handler, gate: PolicyGate): Handler => ({
  ...handler,
  async execute(ctx) {
    const result = await handler.execute(ctx);
    gate.planned(result);
    return result;
  },
});

/** A tool that the kernel ended says nothing itself. */
function outOfMemory(ended: Ended | null, work: Work): Ended | null {
  if (ended?.status !== "failed") return ended;
  const limit = sizeText(work.options.resources?.memory_bytes ?? 0);
  const reason = `out of memory: the job's limit is ${limit} (resources.memory); ${ended.reason}`;
  return { ...ended, reason, code: "out_of_memory" };
}

/** Where an execution is, as renewals tell it. */
interface Standing {
  phase: Phase | "report" | "cleanup";
  status: ExecutionStatus;
}

const nothing = () => {};

/**
 * Times the job out at its deadline, until the answer is aborted. The deadline is a time of day, because it counts over
 * restarts; what is left of it is counted steadily, and never more than the whole limit, should the clock have been set.
 */
function stopAtDeadline(begin: Begin, clock: Clock, stop: (reason: StopReason) => void): AbortController {
  const limit = limitOf(begin.work);
  const until = clock.monotonic() + Math.min(limit, Math.max(0, begin.deadlineMs - clock.now()));
  const over = new AbortController();
  const wait = async () => {
    // A sleep may be shorter than asked: timers count no more than 24 days.
    for (let left = until - clock.monotonic(); left > 0; left = until - clock.monotonic()) {
      await clock.sleep(left, over.signal);
      if (over.signal.aborted) return;
    }
    stop({ kind: "timed-out", why: `the job ran longer than its timeout of ${Math.round(limit / 1000)} s` });
  };
  void wait();
  return over;
}
