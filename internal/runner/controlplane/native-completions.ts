import type { HttpFailure } from "../../kit/http/failure.ts";
import { fail, ok, type Result, RunnerError } from "../../protocol/errors.ts";
import type { CompleteRequest, CompleteResponse, Completion } from "../../protocol/native.ts";

type Cleanup = CompleteRequest["cleanups"][number];
type Recorded = CompleteResponse["completions"][number];

/** Both kinds of news about an end; they travel together. */
interface Entry {
  readonly instanceId: string;
  readonly completion: Completion | null;
  readonly cleanup: Cleanup | null;
  readonly signal: AbortSignal;
  readonly settle: (result: Result<Recorded | null>) => void;
}

export interface Completions {
  /** Resolves when the coordinator has answered for this execution, or with an error when `signal` is aborted. */
  report(instanceId: string, completion: Completion, signal: AbortSignal): Promise<Result<Recorded>>;
  cleaned(instanceId: string, cleanup: Cleanup, signal: AbortSignal): Promise<Result<null>>;
}

const MAX_BATCH = 64;

/**
 * Micro-batches: what comes while a request is on its way goes out together in the next one. Nobody waits for a timer,
 * so a single report is as fast as without batching, and a burst costs one request and one commit for all of it.
 */
export function createCompletions(
  send: (request: CompleteRequest, signal: AbortSignal) => Promise<Result<CompleteResponse, HttpFailure>>,
): Completions {
  let queue: Entry[] = [];
  let pumping = false;

  async function pump(): Promise<void> {
    if (pumping) return;
    pumping = true;
    // One turn later, everything reported in the same tick is in the first batch.
    await Promise.resolve();
    while (queue.length > 0) {
      const instanceId = queue[0]?.instanceId;
      const batch = queue.filter((entry) => entry.instanceId === instanceId).slice(0, MAX_BATCH);
      queue = queue.filter((entry) => !batch.includes(entry));
      await deliver(batch.filter((entry) => !entry.signal.aborted));
    }
    pumping = false;
  }

  async function deliver(batch: readonly Entry[]): Promise<void> {
    const [first] = batch;
    if (first === undefined) return;
    const { signal, release } = whenAllAborted(batch.map((entry) => entry.signal));
    const answer = await send(requestOf(first.instanceId, batch), signal);
    release();
    if (!answer.ok && batch.length > 1 && isAboutContent(answer.error)) {
      // One entry the coordinator cannot take must not hold back the others.
      for (const entry of batch) await deliver([entry]);
      return;
    }
    for (const entry of batch) entry.settle(answer.ok ? verdictOf(entry, answer.value) : answer);
  }

  function enqueue(entry: Omit<Entry, "settle">): Promise<Result<Recorded | null>> {
    return new Promise((resolve) => {
      const onAbort = () => resolve(fail(new RunnerError("cancelled", "reporting was given up")));
      if (entry.signal.aborted) return onAbort();
      entry.signal.addEventListener("abort", onAbort, { once: true });
      const settle = (result: Result<Recorded | null>) => {
        entry.signal.removeEventListener("abort", onAbort);
        resolve(result);
      };
      queue.push({ ...entry, settle });
      void pump();
    });
  }

  return {
    async report(instanceId, completion, signal) {
      const result = await enqueue({ instanceId, completion, cleanup: null, signal });
      if (!result.ok) return result;
      if (result.value !== null) return ok(result.value);
      return fail(
        new RunnerError("protocol", `the coordinator did not answer for execution ${completion.execution_id}`),
      );
    },
    async cleaned(instanceId, cleanup, signal) {
      const result = await enqueue({ instanceId, completion: null, cleanup, signal });
      return result.ok ? ok(null) : result;
    },
  };
}

function requestOf(instanceId: string, batch: readonly Entry[]): CompleteRequest {
  return {
    instance_id: instanceId,
    completions: batch.flatMap((entry) => entry.completion ?? []),
    cleanups: batch.flatMap((entry) => entry.cleanup ?? []),
  };
}

function verdictOf(entry: Entry, response: CompleteResponse): Result<Recorded | null> {
  const id = entry.completion?.execution_id;
  return ok(response.completions.find((one) => one.execution_id === id) ?? null);
}

const isAboutContent = (error: HttpFailure): boolean => error.kind === "protocol" || error.kind === "conflict";

/** A signal that is aborted once every one of `signals` is. */
function whenAllAborted(signals: readonly AbortSignal[]): { signal: AbortSignal; release: () => void } {
  const all = new AbortController();
  const check = () => {
    if (signals.every((signal) => signal.aborted)) all.abort();
  };
  for (const signal of signals) signal.addEventListener("abort", check);
  return {
    signal: all.signal,
    release: () => {
      for (const signal of signals) signal.removeEventListener("abort", check);
    },
  };
}
