import type { z } from "zod";
import type { Clock } from "../../../kit/base/clock.ts";
import type { SystemLog } from "../../../kit/base/system-log.ts";
import type { HttpFailure } from "../../../kit/http/failure.ts";
import type { Http } from "../../../kit/http/http.ts";
import type { OutcomeStatus } from "../../../protocol/enums.ts";
import { fail, ok, type Result } from "../../../protocol/errors.ts";
import type { Completion } from "../../../protocol/native.ts";
import type { ExecutionResultRequest, executionOutputsRequest } from "../../../protocol/nuon/jobs.ts";
import { RETRY } from "../../../protocol/retry.ts";
import type { ExecutionRef } from "../control-plane.ts";
import { factsOf } from "./facts.ts";

/** Cleanup is bounded: the server still waits for the terminal status. */
const CLEANUP_LIMIT_MS = 120_000;
/** Tries before a 500 of the server itself (a permission, a missing row) is believed. */
const TRIES_ON_500 = 8;

interface Means {
  readonly http: Http;
  readonly clock: Clock;
  readonly log: SystemLog;
}

/**
 * The end of an execution in the order a Nuon server needs (nuon-runner-api.md 2.18): result, outputs, `cleaning-up`,
 * cleanup, and the terminal status last, because a later one would overwrite it. Every part may be repeated after a
 * crash: the server answers a second result or outputs with "duplicate key", which means it has them.
 */
export async function finish(
  { http, clock, log }: Means,
  execution: ExecutionRef,
  completion: Completion,
  cleanup: () => Promise<string | null>,
  signal: AbortSignal,
): Promise<Result<{ readonly recorded: boolean; readonly reason: string }>> {
  const jobPath = `/v1/runner-jobs/${encodeURIComponent(execution.jobId)}`;
  const path = `${jobPath}/executions/${encodeURIComponent(execution.id)}`;
  const send = (method: "POST" | "PATCH", to: string, json: unknown, tries: number) =>
    http.request({ method, path: to, json, rule: { ...RETRY.report, tries }, decode: "none", signal });
  const patch = (status: string, tries: number) => send("PATCH", path, { status }, tries);

  /** Until it is there; the error only when the server refuses it for good. */
  const deliver = async (part: string, json: unknown): Promise<HttpFailure | null> => {
    for (;;) {
      const sent = await send("POST", `${path}/${part}`, json, TRIES_ON_500);
      if (sent.ok || isDuplicate(sent.error)) return null;
      if (!sent.error.retryable || saidByServer(sent.error)) return sent.error;
    }
  };

  const parts: [string, unknown][] = [];
  const result = resultOf(execution, completion);
  if (result !== null) parts.push(["result", result]);
  if (completion.status === "finished") parts.push(["outputs", outputsOf(completion)]);
  let missing: HttpFailure | null = null;
  for (const [part, json] of parts) {
    const refused = await deliver(part, json);
    if (refused?.kind === "cancelled") return fail(refused);
    if (refused) log.error(`the control plane does not take the ${part} of an execution`, { why: refused.message });
    missing ??= refused;
  }

  const cleaning = await patch("cleaning-up", RETRY.status.tries);
  if (!cleaning.ok && cleaning.error.kind === "cancelled") return cleaning;
  const over = new AbortController();
  await Promise.race([cleanup(), clock.sleep(CLEANUP_LIMIT_MS, over.signal)]);
  over.abort();

  // Finished without its result or outputs would be taken for success by what comes after it.
  const status = missing && completion.status === "finished" ? "failed" : wordOf(completion.status);
  const ended = await patch(status, RETRY.report.tries);
  if (!ended.ok) {
    if (ended.error.status === 404)
      return ok({ recorded: false, reason: "the control plane does not know it any more" });
    return ended;
  }
  if (status === "finished" && endsItsJob(execution)) await send("PATCH", jobPath, { status }, RETRY.report.tries);
  return ok({ recorded: true, reason: missing?.message ?? "" });
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
