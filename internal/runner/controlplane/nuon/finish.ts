import type { z } from "zod";
import type { Clock } from "../../../kit/base/clock.ts";
import type { SystemLog } from "../../../kit/base/system-log.ts";
import type { HttpFailure } from "../../../kit/http/failure.ts";
import type { OutcomeStatus } from "../../../protocol/enums.ts";
import { fail, ok, type Result } from "../../../protocol/errors.ts";
import type { Completion } from "../../../protocol/native.ts";
import type { ExecutionResultRequest, executionOutputsRequest } from "../../../protocol/nuon/jobs.ts";
import { RETRY } from "../../../protocol/retry.ts";
import type { ExecutionRef } from "../control-plane.ts";
import { isNoRoute, type NuonClient } from "./client.ts";
import { factsOf } from "./facts.ts";

/** Cleanup is bounded: the server still waits for the terminal status. */
const CLEANUP_LIMIT_MS = 120_000;
/** A token may be taken away and given back: so often is asked again at the end, so long apart. */
const TRIES_ON_REFUSAL = 12;
const REFUSAL_WAIT_MS = 5_000;
/** Tries before a 500 of the server itself (a permission, a missing row) is believed. */
const TRIES_ON_500 = 8;
/** A terminal status that the server took and did not keep is written again so often, in all. */
const TERMINAL_ROUNDS = 3;
/** The job's slot is not free before: a server that took the status and hangs must not hold it long. */
const READ_BACK = { tries: 3, base_ms: 250, cap_ms: 1_000, timeout_ms: 5_000 };
const RUNNING: ReadonlySet<string> = new Set(["pending", "initializing", "in-progress", "cleaning-up"]);

interface Means {
  readonly api: NuonClient;
  readonly clock: Clock;
  readonly log: SystemLog;
}

/**
 * The end of an execution in the order a Nuon server needs (nuon-runner-api.md 2.18): result, outputs, `cleaning-up`,
 * cleanup, and the terminal status last, because a later one would overwrite it. Every part may be repeated after a
 * crash: the server answers a second result or outputs with "duplicate key", which means it has them.
 */
export async function finish(
  { api, clock, log }: Means,
  execution: ExecutionRef,
  completion: Completion,
  cleanup: () => Promise<string | null>,
  signal: AbortSignal,
): Promise<Result<{ readonly recorded: boolean; readonly reason: string }>> {
  const path = { runner_job_id: execution.jobId, runner_job_execution_id: execution.id };
  const part = { path, rule: { ...RETRY.report, tries: TRIES_ON_500 }, signal };
  const patch = (status: string, tries: number) =>
    patiently(clock, signal, () =>
      api.call("UpdateRunnerJobExecution", { path, json: { status }, rule: { ...RETRY.report, tries }, signal }),
    );

  const parts: [string, () => Promise<Result<unknown, HttpFailure>>][] = [];
  const result = resultOf(execution, completion);
  if (result !== null)
    parts.push(["result", () => api.call("CreateRunnerJobExecutionResult", { ...part, json: result })]);
  const outputs = outputsOf(completion);
  if (completion.status === "finished")
    parts.push(["outputs", () => api.call("CreateRunnerJobExecutionOutputs", { ...part, json: outputs })]);
  let missing: HttpFailure | null = null;
  for (const [part, send] of parts) {
    const refused = await deliver(() => patiently(clock, signal, send));
    // Before the cleanup: with a token that is taken, the whole report goes out at the next start.
    if (refused && (refused.kind === "cancelled" || isTokenRefused(refused))) return fail(refused);
    if (refused) log.error(`the control plane does not take the ${part} of an execution`, { why: refused.message });
    missing ??= refused;
  }

  const cleaning = await patch("cleaning-up", RETRY.status.tries);
  if (!cleaning.ok && (cleaning.error.kind === "cancelled" || isTokenRefused(cleaning.error))) return cleaning;
  const over = new AbortController();
  await Promise.race([cleanup(), clock.sleep(CLEANUP_LIMIT_MS, over.signal)]);
  over.abort();

  // Finished without its result or outputs would be taken for success by what comes after it.
  const status = missing && completion.status === "finished" ? "failed" : wordOf(completion.status);
  const ended = await writeTerminal(api, () => patch(status, RETRY.report.tries), { path, status, signal });
  if (!ended.ok) return ended;
  if (status === "finished" && endsItsJob(execution))
    await api.call("UpdateRunnerJob", { path: { runner_job_id: execution.jobId }, json: { status }, signal });
  const { recorded, reason } = ended.value;
  return ok({ recorded, reason: reason || (missing?.message ?? "") });
}

const isTokenRefused = ({ status }: HttpFailure): boolean => status === 401 || status === 403;

/** A refused token is shown again for about a minute. */
async function patiently<T>(
  clock: Clock,
  signal: AbortSignal,
  send: () => Promise<Result<T, HttpFailure>>,
): Promise<Result<T, HttpFailure>> {
  for (let tries = 1; ; tries++) {
    const sent = await send();
    if (sent.ok || !isTokenRefused(sent.error) || tries >= TRIES_ON_REFUSAL || signal.aborted) return sent;
    await clock.sleep(REFUSAL_WAIT_MS, signal);
  }
}

/** Until it is there; the error only when the server refuses it for good. */
async function deliver(send: () => Promise<Result<unknown, HttpFailure>>): Promise<HttpFailure | null> {
  for (;;) {
    const sent = await send();
    if (sent.ok || isDuplicate(sent.error)) return null;
    if (!sent.error.retryable || saidByServer(sent.error)) return sent.error;
  }
}

interface Terminal {
  readonly path: { readonly runner_job_id: string; readonly runner_job_execution_id: string };
  readonly status: string;
  readonly signal: AbortSignal;
}

/**
 * The terminal status, read back: the server answers 200 whether it wrote anything or not. Written again while the
 * execution is still shown as running; what it cannot say is believed.
 */
async function writeTerminal(
  api: NuonClient,
  write: () => Promise<Result<unknown, HttpFailure>>,
  { path, status, signal }: Terminal,
): Promise<Result<{ readonly recorded: boolean; readonly reason: string }, HttpFailure>> {
  const unknown = ok({ recorded: false, reason: "the control plane does not know it any more" });
  for (let round = 1; ; round++) {
    const written = await write();
    if (!written.ok) return written.error.status === 404 ? unknown : written;
    const own = await api.call("GetRunnerJobExecution", { path, rule: READ_BACK, signal });
    if (!own.ok) {
      const believed = own.error.status !== 404 || isNoRoute(own.error);
      return believed ? ok({ recorded: true, reason: "" }) : unknown;
    }
    const { status: found } = own.value.value;
    if (found === status) return ok({ recorded: true, reason: "" });
    if (round < TERMINAL_ROUNDS && RUNNING.has(found ?? "")) continue;
    return ok({ recorded: false, reason: `the control plane has it as ${found ?? "unknown"}` });
  }
}

/** Only what has contents is stored; an error is sent all the same, for servers that keep it. */
function resultOf(execution: ExecutionRef, completion: Completion): ExecutionResultRequest | null {
  const { result, status, reason } = completion;
  if (result && (result.contents || result.contents_compressed || result.error_metadata)) return result;
  if (status !== "failed" && status !== "timed-out") return null;
  const { jobType } = execution;
  return { error_metadata: { handler: jobType, job_type: jobType, message: reason } };
}

const outputsOf = (completion: Completion): z.infer<typeof executionOutputsRequest> => ({
  outputs: completion.outputs ?? {},
});

/** `not-attempted` is the server's own word. */
const wordOf = (status: OutcomeStatus): string => (status === "not-attempted" ? "failed" : status);

/** Shutdown jobs that bypass the server's queue: nobody else ends them (nuon-runner-api.md 9.6). */
function endsItsJob(execution: ExecutionRef): boolean {
  const shutdown = factsOf(execution)?.shutdown_type;
  if (execution.jobType === "shut-down") return shutdown === "force";
  if (execution.jobType === "mng-vm-shut-down") return shutdown === "vm";
  return execution.jobType === "mng-shut-down";
}

function isDuplicate(error: HttpFailure): boolean {
  return error.status === 400 && /duplicated? key/.test(error.message);
}

/** A 500 with the API's error document, after all tries: the answer itself, not an outage. */
function saidByServer(error: HttpFailure): boolean {
  return error.status === 500 && error.body !== undefined;
}
