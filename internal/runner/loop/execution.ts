import type { Clock } from "../../kit/base/clock.ts";
import { failpoint, pausePoint } from "../../kit/base/failpoint.ts";
import { sweep } from "../../kit/exec/index.ts";
import type { ExecutionStatus, JobGroup, JobOperation } from "../../protocol/enums.ts";
import { RunnerError, reasonOf } from "../../protocol/errors.ts";
import type { Completion, RenewRequest } from "../../protocol/native.ts";
import { nsToMs } from "../../protocol/nuon/base.ts";
import type { ExecutionRef, Work } from "../controlplane/control-plane.ts";
import {
  DEFAULT_LADDER,
  type Handler,
  type JobContext,
  KeepWorkspaceError,
  type RunnerControl,
  type SourceFetcher,
  type SourceScope,
  type StopReason,
} from "../handler.ts";
import { parsePlan } from "../parse-plan.ts";
import type { RunnerDeps, RunnerOptions } from "../runner.ts";
import { executionFolder } from "./execution-folder.ts";
import { createJobOutput } from "./job-output.ts";
import type { Journal } from "./journal.ts";
import { type Ended, type Phase, runLifecycle } from "./lifecycle.ts";
import { planSecrets } from "./plan-secrets.ts";
import { createStepTracker } from "./step-tracker.ts";
import { createToolRunner } from "./tool-runner.ts";

/** A job without an execution timeout gets the server's default (nuon-runner-api.md 9.1). */
export const DEFAULT_EXECUTION_TIMEOUT_MS = 5 * 60_000;
/** Own deadline of a handler's cleanup; it never changes the outcome. */
const CLEANUP_LIMIT_MS = 5 * 60_000;
/** How long an outcome waits for the last log bytes; what is later still follows it. */
const LOG_FLUSH_MS = 10_000;
/** After the outcome is delivered, unshipped output is kept trying this long before it is dropped and counted. */
const LOG_LINGER_MS = 2 * 60_000;

export interface ExecutionDeps {
  readonly options: RunnerOptions;
  readonly deps: RunnerDeps;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly control: RunnerControl;
  readonly sources: (scope: SourceScope) => SourceFetcher;
  /** Progress to tell the control plane. */
  readonly changed: () => void;
  /** Aborted when the process goes: what is undelivered stays in the journal. */
  readonly processSignal: AbortSignal;
}

export interface LiveExecution {
  readonly ref: ExecutionRef;
  readonly group: JobGroup;
  readonly jobType: string;
  stop(reason: StopReason): void;
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

/** Wall-clock end of an execution that starts now. */
export function deadlineOf(work: Work, now: number): number {
  const limit = nsToMs(work.job.execution_timeout) || DEFAULT_EXECUTION_TIMEOUT_MS;
  return now + limit;
}

export function beginExecution(shared: ExecutionDeps, begin: Begin): LiveExecution {
  const { options, deps, journal, clock } = shared;
  const { work, handler, group } = begin;
  const ref = work.execution;
  const key = { id: ref.id, epoch: ref.epoch };
  const folder = executionFolder(options.stateDir, key);
  const controller = new AbortController();
  const { signal } = controller;
  let phase: Phase | "report" | "cleanup" = "fetch";
  let status: ExecutionStatus = "pending";
  let stoppingTools = 0;

  const stop = (reason: StopReason) => {
    if (!signal.aborted) controller.abort(reason);
  };
  const timer = setTimeout(
    () => stop({ kind: "timed-out", why: timeoutText(work) }),
    Math.max(0, begin.deadlineMs - clock.now()),
  );

  const output = createJobOutput({
    options,
    deps,
    ref,
    folder,
    nonce: begin.nonce,
    place: () => ({ phase, step: steps.current() }),
    processSignal: shared.processSignal,
  });
  output.redactor.register(...deps.controlPlane.secrets(ref), ...begin.secrets);
  if (!begin.redactable) output.withhold("what must be redacted is not known any more after a restart");

  const steps = createStepTracker({
    key,
    journal,
    clock,
    changed: (step, id) => {
      shared.changed();
      void deps.controlPlane.workStep(ref, step, id, shared.processSignal);
    },
  });
  const tools = createToolRunner({
    key,
    folder,
    journal,
    clock,
    signal,
    ladder: graceOf(handler, work),
    openOutput: output.openForTool,
    mark: output.mark,
    stopping: (change) => {
      stoppingTools += change;
    },
    ended: (code) => {
      steps.toolEnded(code);
      output.wake();
    },
    note: (text) => output.log.info(text),
  });

  let made: JobContext<unknown> | null = null;
  const context = async (): Promise<JobContext<unknown>> => {
    if (made) return made;
    made = await makeContext();
    return made;
  };
  const makeContext = async (): Promise<JobContext<unknown>> => {
    let text = work.plan;
    if (text === null && work.loadPlan !== null && handler.plan !== null) {
      const loaded = await work.loadPlan(signal);
      if (!loaded.ok) throw loaded.error;
      text = loaded.value;
    }
    const plan = handler.plan === null ? null : parsePlan(handler.plan, text ?? "");
    if (handler.plan !== null) {
      output.redactor.register(...planSecrets(plan, work.options.sensitiveVars));
      seal(text);
    }
    return {
      job: { ...work.job, operation: (work.job.operation ?? "exec") as JobOperation },
      execution: key,
      plan,
      options: { verify: work.options.verify, sensitive_vars: work.options.sensitiveVars },
      workspace: workspaceOf(folder),
      signal,
      log: output.log,
      step: steps.run,
      exec: tools.exec,
      tools: {
        find: deps.tools.find,
        cacheDir: deps.tools.cacheDir,
        env: (extra) => ({ ...deps.tools.env(extra), HOME: folder.work, TMPDIR: folder.work, ...extra }),
      },
      sources: shared.sources({
        executionId: key.id,
        signal,
        note: (text) => output.log.info(text),
        secret: output.redactor.register,
      }),
      state: deps.controlPlane.state(ref),
      documents: deps.controlPlane.documents(ref),
      secrets: {
        register: (...values) => {
          output.redactor.register(...values);
          seal(text);
        },
      },
      runner: shared.control,
    };
  };
  const seal = (plan: string | null) =>
    folder.seal({
      plan,
      nonce: output.nonce,
      secrets: output.registered(),
      facts: { ...work.execution.sealed },
      options: { ...work.options, sensitiveVars: [...work.options.sensitiveVars] },
    });

  const entering = async (next: Phase, before: ExecutionStatus, done: readonly string[]) => {
    phase = next;
    status = before;
    // A job without a plan leaves nothing behind that a restart could go on from: it is simply run again.
    if (handler.plan !== null && (handler[next] || next === "execute"))
      await journal.write(() => journal.setPhase(key, next, done));
    await deps.controlPlane.status(ref, before, shared.processSignal);
  };

  const runWork = async (): Promise<Ended | null> => {
    if (begin.completion) return begin.completion;
    const ended = await runLifecycle({
      handler,
      signal,
      done: begin.done,
      context,
      savedResult: folder.loadResult,
      saveResult: (result) => {
        if (result !== null) folder.saveResult(result);
      },
      entering,
      toolStopping: () => stoppingTools > 0,
      sleep: (ms) => clock.sleep(ms),
    });
    clearTimeout(timer);
    if (signal.aborted && (signal.reason as StopReason).kind !== "abandoned") await tools.stopRest();
    if (ended && ended.status !== "finished") output.log.error(ended.reason);
    return ended;
  };

  const cleanup = async (): Promise<string | null> => {
    phase = "cleanup";
    status = "cleaning-up";
    failpoint("runner.cleanup");
    await pausePoint("runner.cleanup");
    let error: string | null = null;
    let keep = false;
    try {
      if (journal.tools(key).length > 0) await sweep(key.id);
      // Without a context the handler never ran (its plan could not be read): there is nothing of its own to remove.
      const ctx = made ?? (begin.done.length > 0 ? await context() : null);
      if (handler.cleanup && ctx) await limited(clock, CLEANUP_LIMIT_MS, handler.cleanup(ctx));
    } catch (cause) {
      error = reasonOf(cause);
      keep = cause instanceof KeepWorkspaceError;
      output.log.error(`cleanup: ${error}`);
      deps.log.error("cleanup failed", { execution: key.id, reason: error, kept: keep ? folder.work : undefined });
    }
    await output.finish(LOG_LINGER_MS);
    try {
      if (keep) folder.removeSecrets();
      else if (folder.exists()) await folder.remove();
    } catch (cause) {
      error = `the folder ${folder.root} could not be removed: ${reasonOf(cause)}`;
      deps.log.error(error, { execution: key.id });
    }
    return error;
  };

  const report = async (ended: Ended): Promise<void> => {
    phase = "report";
    const completion: Completion = {
      execution_id: key.id,
      epoch: key.epoch,
      ...ended,
      reason: output.redactor.redactText(ended.reason),
      steps: steps.reports(),
    };
    if (!begin.completion) persistReport(completion, handler, folder, journal, key);
    failpoint("runner.report");
    await pausePoint("runner.report");
    await output.flush(LOG_FLUSH_MS);
    const delivered = await deps.controlPlane.complete(ref, completion, cleanup, shared.processSignal);
    if (!delivered.ok) {
      // Not delivered: the report stays in the journal and goes out at the next start.
      if (!shared.processSignal.aborted)
        deps.log.error("the outcome could not be delivered", { execution: key.id, reason: delivered.error.message });
      return;
    }
    if (!delivered.value.recorded)
      deps.log.warn("the outcome was not recorded", { execution: key.id, reason: delivered.value.reason });
    await journal.write(() => journal.forget(key));
  };

  const over = runWork();
  const settled = over.then(async (ended) => {
    if (ended) return report(ended);
    const reason = signal.aborted ? (signal.reason as StopReason) : null;
    if (reason?.kind === "abandoned") return;
    // Fenced: somebody else may have the job now. Nothing of this epoch is written; only what is ours is removed.
    output.withhold("the lease is lost");
    await cleanup();
    await journal.write(() => journal.forget(key));
  });

  return {
    ref,
    group,
    jobType: work.job.type,
    stop,
    progress: () => ({ execution_id: key.id, epoch: key.epoch, status, phase, steps: steps.reports() }),
    over: over.then(() => {}),
    settled: settled.catch((error: unknown) => {
      deps.log.error("a job could not be brought to its end", { execution: key.id, reason: reasonOf(error) });
    }),
  };
}

/** The outcome outlives a crash: in the journal when it says nothing secret, else beside it in the execution's folder. */
function persistReport(
  completion: Completion,
  handler: Handler,
  folder: ReturnType<typeof executionFolder>,
  journal: Journal,
  key: { id: string; epoch: number },
): void {
  if (handler.plan === null && completion.status === "finished") return; // running it again costs less than keeping it
  try {
    folder.saveReport(completion);
    journal.writeNow(() => journal.setEnded(key));
  } catch {
    // A full disk: the report goes out from memory.
  }
}

function workspaceOf(folder: ReturnType<typeof executionFolder>): JobContext<unknown>["workspace"] {
  const root = () => {
    folder.make();
    return folder.work;
  };
  return {
    get root() {
      return root();
    },
    path: (...parts) => [root(), ...parts].join("/"),
  };
}

const graceOf = (handler: Handler, work: Work) => {
  const ladder = handler.cancel ?? DEFAULT_LADDER;
  return work.options.cancelGraceMs === null ? ladder : { ...ladder, grace_ms: work.options.cancelGraceMs };
};

const timeoutText = (work: Work): string => {
  const seconds = Math.round((nsToMs(work.job.execution_timeout) || DEFAULT_EXECUTION_TIMEOUT_MS) / 1000);
  return `the job ran longer than its timeout of ${seconds} s`;
};

async function limited(clock: Clock, ms: number, work: Promise<void>): Promise<void> {
  const over = new AbortController();
  const limit = clock.sleep(ms, over.signal).then(() => {
    if (!over.signal.aborted) throw new RunnerError("timed-out", `cleanup did not end within ${ms / 1000} s`);
  });
  try {
    await Promise.race([work, limit]);
  } finally {
    over.abort();
  }
}
