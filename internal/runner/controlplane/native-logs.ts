import type { Http } from "../../kit/http/http.ts";
import type { LogBatch } from "../../kit/logs/types.ts";
import { ok, type Result } from "../../protocol/errors.ts";
import { LOG_HEADERS, logAnswer } from "../../protocol/native.ts";
import { RETRY } from "../../protocol/retry.ts";
import type { ExecutionRef } from "./control-plane.ts";

/** Below this, compressing costs more than it saves. */
const GZIP_FROM_BYTES = 4_096;

/** Ship one encoded batch with its range; answers the position the coordinator has. `loopback`: never compressed. */
export async function sendLogs(
  { http, loopback }: { readonly http: Http; readonly loopback: boolean },
  execution: ExecutionRef,
  batch: LogBatch,
  data: Uint8Array,
  signal: AbortSignal,
): Promise<Result<{ readonly stored: number }>> {
  const answer = await http.request({
    method: "POST",
    path: `/v1/log-streams/${encodeURIComponent(execution.logStreamId ?? execution.id)}/logs`,
    tag: "logs",
    headers: {
      [LOG_HEADERS.execution]: execution.id,
      [LOG_HEADERS.epoch]: String(execution.epoch),
      [LOG_HEADERS.from]: String(batch.from),
      [LOG_HEADERS.to]: String(batch.to),
    },
    bytes: { data, type: "application/x-protobuf", gzip: !loopback && data.byteLength > GZIP_FROM_BYTES },
    rule: RETRY.logs,
    decode: logAnswer,
    signal,
  });
  if (answer.ok) return ok(answer.value.value);
  // Another position than we thought is an answer, not a failure: the shipper goes on from there.
  if (answer.error.status !== 409) return answer;
  const other = logAnswer.safeParse(answer.error.body);
  if (other.success) return ok(other.data);
  // Half an answer names no position: nothing is known to be stored, so the shipper asks again from here, more slowly.
  return answer.error.body === undefined ? ok({ stored: batch.from }) : answer;
}

/** Whether an address never leaves this machine. */
export function isLoopback(url: string): boolean {
  const { hostname } = new URL(url);
  return hostname === "localhost" || hostname === "[::1]" || hostname.startsWith("127.");
}
