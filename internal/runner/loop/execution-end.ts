import type { Clock } from "../../kit/base/clock.ts";
import { failpoint, pausePoint } from "../../kit/base/failpoint.ts";
import type { SystemLog } from "../../kit/base/system-log.ts";
import { sweep } from "../../kit/exec/index.ts";
import type { OutcomeStatus } from "../../protocol/enums.ts";
import { RunnerError, reasonOf } from "../../protocol/errors.ts";
import type { Completion, StepReport } from "../../protocol/native.ts";
import type { ControlPlane, ExecutionRef } from "../controlplane/control-plane.ts";
import { type Handler, KeepWorkspaceError } from "../handler.ts";
import type { ExecutionFolder } from "./execution-folder.ts";
import type { LazyContext } from "./job-context.ts";
import type { createJobOutput } from "./job-output.ts";
import type { Journal } from "./journal.ts";
import type { Ended } from "./lifecycle.ts";

/** Own deadline of a handler's cleanup; it never changes the outcome. */
const CLEANUP_LIMIT_MS = 5 * 60_000;
/** How long an outcome waits for the last log bytes; what is later still follows it. */
const LOG_FLUSH_MS = 10_000;
/** After the outcome is delivered, unshipped output is kept trying this long before it is dropped and counted. */
const LOG_LINGER_MS = 2 * 60_000;

export interface EndDeps {
  readonly ref: ExecutionRef;
  readonly handler: Handler;
  readonly folder: ExecutionFolder;
  readonly output: ReturnType<typeof createJobOutput>;
  readonly context: LazyContext;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: SystemLog;
  readonly controlPlane: ControlPlane;
  readonly steps: () => StepReport[];
  /** The handler had begun before a restart: what it left behind is its own to remove. */
  readonly begunBefore: boolean;
  /** The outcome was kept before a restart. */
  readonly kept: boolean;
  /** Told where the end stands. */
  readonly at: (phase: "report" | "cleanup") => void;
  /** The cleanup is over; that it is may still have to be told. */
  readonly cleaned: () => void;
  /** Aborted when the process goes: what is undelivered stays in the journal. */
  readonly processSignal: AbortSignal;
}

/** The last part of every execution: its report, its cleanup, and that it is forgotten. */
export function createEnd(deps: EndDeps) {
  const { ref, output, journal, processSignal } = deps;
  const key = { id: ref.id, epoch: ref.epoch };

  /** Delivers the outcome, in the dialect's order with the cleanup. */
  const report = async (ended: Ended): Promise<void> => {
    deps.at("report");
    const { redactText } = output.redactor;
    const completion: Completion = {
      execution_id: key.id,
      epoch: key.epoch,
      ...ended,
      reason: redactText(ended.reason),
      steps: deps.steps(),
    };
    if (!deps.kept) keepOutcome(completion, deps);
    failpoint("runner.report");
    await pausePoint("runner.report");
    await output.flush(LOG_FLUSH_MS);
    const delivered = await deps.controlPlane.complete(
      ref,
      completion,
      () => cleanUp(deps, completion.status),
      processSignal,
    );
    if (!delivered.ok) {
      // Not delivered: the report stays in the journal and goes out at the next start.
      if (!processSignal.aborted)
        deps.log.error("the outcome could not be delivered", { execution: key.id, reason: delivered.error.message });
      return;
    }
    failpoint("runner.delivered");
    if (!delivered.value.recorded)
      deps.log.warn("the outcome was not recorded", { execution: key.id, reason: delivered.value.reason });
    await journal.write(() => journal.forget(key));
  };

  /** Somebody else may have the job now: nothing of this epoch is written, only what is ours is removed. */
  const vanish = async (): Promise<void> => {
    output.withhold("the lease is lost");
    await cleanUp(deps, null);
    await journal.write(() => journal.forget(key));
  };

  return { report, vanish };
}

/** The outcome outlives a crash in the execution's folder; the journal says only that it is there. */
function keepOutcome(completion: Completion, { handler, folder, journal, ref }: EndDeps): void {
  if (handler.plan === null && completion.status === "finished") return; // running it again costs less than keeping it
  try {
    folder.saveReport(completion);
    journal.writeNow(() => journal.setEnded(ref));
  } catch {
    // A full disk: the report goes out from memory.
  }
}

/** Never throws; answers what went wrong, without secrets. */
async function cleanUp(deps: EndDeps, outcome: OutcomeStatus | null): Promise<string | null> {
  const { ref, folder, output, log } = deps;
  deps.at("cleanup");
  failpoint("runner.cleanup");
  await pausePoint("runner.cleanup");
  let error: string | null = null;
  let keep = false;
  try {
    await handlerCleanup(deps);
  } catch (cause) {
    error = output.redactor.redactText(reasonOf(cause));
    keep = cause instanceof KeepWorkspaceError;
    output.log.error(`cleanup: ${error}`);
    log.error("cleanup failed", { execution: ref.id, reason: error, kept: keep ? folder.work : undefined });
  }
  await output.finish(LOG_LINGER_MS);
  // The report goes with the folder: a restart before all is told still has to know how it ended.
  if (outcome !== null && folder.exists()) await deps.journal.write(() => deps.journal.setOutcome(ref, outcome));
  try {
    if (keep) folder.removeSecrets();
    else if (folder.exists()) await folder.remove();
  } catch (cause) {
    error = `the folder ${folder.root} could not be removed: ${reasonOf(cause)}`;
    log.error(error, { execution: ref.id });
  }
  failpoint("runner.cleaned");
  deps.cleaned();
  return error;
}

async function handlerCleanup({ ref, handler, journal, context, begunBefore, clock }: EndDeps): Promise<void> {
  if (journal.tools(ref).length > 0) await sweep(ref.id);
  // Without a context the handler never ran (its plan could not be read): there is nothing of its own to remove.
  const ctx = context.made() ?? (begunBefore ? await context.get() : null);
  if (handler.cleanup && ctx) await limited(clock, CLEANUP_LIMIT_MS, handler.cleanup(ctx));
}

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
