import { failpoint, pausePoint } from "../../kit/base/failpoint.ts";
import type { ExecutionStatus } from "../../protocol/enums.ts";
import { RunnerError, reasonOf } from "../../protocol/errors.ts";
import type { Completion } from "../../protocol/native.ts";
import type { ExecutionResultRequest } from "../../protocol/nuon/jobs.ts";
import {
  type Handler,
  type HandlerOutputs,
  type JobContext,
  StopError,
  type StopReason,
  ToolError,
} from "../handler.ts";
import { declaredOutputs } from "./declared-outputs.ts";

/** The lifecycle of DESIGN section 4 up to the outcome; report and cleanup are the reporter's. */
export const PHASES = ["fetch", "validate", "initialize", "execute", "outputs"] as const;
export type Phase = (typeof PHASES)[number];

const STATUS_BEFORE: Record<Phase, ExecutionStatus> = {
  fetch: "initializing",
  validate: "initializing",
  initialize: "initializing",
  execute: "in-progress",
  outputs: "in-progress",
};

/** A step that ignores its stop signal (it hangs in something that is no tool) is left behind after this long. */
const DEAF_STEP_MS = 30_000;

export interface LifecycleDeps {
  readonly handler: Handler;
  readonly signal: AbortSignal;
  /** Steps that were over before a restart are not run again. */
  readonly done: readonly string[];
  /** Before the handler's fetch: the plan, parsed. Throws RunnerError. */
  readonly context: () => Promise<JobContext<unknown>>;
  readonly savedResult: () => ExecutionResultRequest | null;
  /** false: it could not be kept (a full disk), so a restart runs `execute` again; what its tools did is known by then. */
  readonly saveResult: (result: ExecutionResultRequest | null) => boolean;
  readonly entering: (phase: Phase, status: ExecutionStatus, done: readonly string[]) => Promise<void>;
  /** A text that nobody may be shown: it holds a value that is redacted. */
  readonly secretIn: (text: string) => boolean;
  /** A tool is on its cancel ladder right now: `execute` is not deaf, it waits for that. */
  readonly toolStopping: () => boolean;
  readonly sleep: (ms: number) => Promise<void>;
}

export type Ended = Pick<Completion, "status" | "reason" | "code" | "result" | "outputs" | "sensitive_outputs">;

/** Never throws. null: the lease is lost or the process goes, so nothing is reported. */
export async function runLifecycle(deps: LifecycleDeps): Promise<Ended | null> {
  const done = [...deps.done];
  let result: ExecutionResultRequest | null = null;
  let outputs: HandlerOutputs<object> | null = null;
  try {
    const ctx = await unlessDeaf(deps, deps.context());
    for (const phase of PHASES) {
      if (done.includes(phase)) {
        if (phase === "execute") result = deps.savedResult();
        continue;
      }
      unlessStopped(deps.signal);
      await deps.entering(phase, STATUS_BEFORE[phase], done);
      failpoint(`runner.${phase}`);
      await pausePoint(`runner.${phase}`, deps.signal);
      if (phase === "execute") {
        result = await unlessDeaf(deps, deps.handler.execute(ctx));
        if (!deps.saveResult(result)) continue;
      } else if (phase === "outputs") {
        const found = deps.handler.outputs ? await unlessDeaf(deps, deps.handler.outputs(ctx)) : NO_OUTPUTS;
        outputs = declaredOutputs(ctx, found, deps.secretIn);
      } else if (deps.handler[phase]) {
        await unlessDeaf(deps, deps.handler[phase](ctx));
      }
      done.push(phase);
    }
    // A stop that came in the last step counts as in every other one, though the step did not notice it.
    unlessStopped(deps.signal);
    return {
      status: "finished",
      reason: "",
      code: "",
      result,
      outputs: outputs ? { ...outputs.values } : null,
      sensitive_outputs: outputs ? [...outputs.sensitive] : [],
    };
  } catch (error) {
    return outcomeOf(error, deps.signal);
  }
}

const NO_OUTPUTS = { values: {}, sensitive: [] };

function unlessStopped(signal: AbortSignal): void {
  if (signal.aborted) throw new StopError(signal.reason as StopReason);
}

function outcomeOf(error: unknown, signal: AbortSignal): Ended | null {
  const nothing = { result: null, outputs: null, sensitive_outputs: [] };
  const stop = error instanceof StopError ? error.stop : signal.aborted ? (signal.reason as StopReason) : null;
  if (stop) {
    if (stop.kind === "fenced" || stop.kind === "abandoned") return null;
    return { status: stop.kind, reason: stop.why, code: stop.kind, ...nothing };
  }
  const why = error instanceof RunnerError && error.remedy ? `${reasonOf(error)}; ${error.remedy}` : reasonOf(error);
  if (error instanceof ToolError && error.end.code === null) {
    return { status: "failed", reason: `exit_code_lost: ${why}`, code: "exit_code_lost", ...nothing };
  }
  const code = error instanceof RunnerError ? error.kind : "defect";
  return { status: "failed", reason: why, code, ...nothing };
}

/** `work`, or a StopError when the job is stopped and `work` does not react. */
async function unlessDeaf<T>({ signal, sleep, toolStopping }: LifecycleDeps, work: Promise<T>): Promise<T> {
  let finished = false;
  const settled = work.finally(() => {
    finished = true;
  });
  settled.catch(() => {}); // when it loses the race its error has no reader
  const deaf = new Promise<never>((_resolve, reject) => {
    const stop = async () => {
      const reason = signal.reason as StopReason;
      do await sleep(DEAF_STEP_MS);
      while (!finished && toolStopping());
      if (!finished) reject(new StopError(reason));
    };
    if (signal.aborted) void stop();
    else signal.addEventListener("abort", () => void stop(), { once: true });
  });
  return Promise.race([settled, deaf]);
}
