import { type Context, Hono } from "hono";
import { failpoint } from "../../kit/base/failpoint.ts";
import { fail, ok, type Result } from "../../protocol/errors.ts";
import { LOG_HEADERS } from "../../protocol/native.ts";
import { decodeLogsRequest } from "../../protocol/otlp.ts";
import type { ExecutionRow, JobRow, LogStreamRow } from "../store/statements.ts";
import type { Store } from "../store/store.ts";
import { runnerOf } from "./auth.ts";
import { readBody, unpackBody } from "./body.ts";
import type { RunnerApiDeps } from "./runner-deps.ts";
import { badRequest, conflict, notFound } from "./runner-errors.ts";
import { reachStream } from "./runner-reach.ts";

/** Largest log request, packed or not, bytes. */
const LOG_LIMIT = 8 * 1024 * 1024;

/**
 * Log export: OTLP protobuf, gzip allowed. With our headers a batch is stored only where the last one ended, so a
 * repeat never doubles and a gap is never silent; without them (the Go runner) it is appended.
 */
export function logRoutes(deps: RunnerApiDeps): Hono {
  const app = new Hono();
  const { store, logs } = deps;

  app.post("/v1/log-streams/:stream_id/logs", async (c) => {
    const runner = runnerOf(store, c);
    if (!runner.ok) return runner.error;
    const stream = reachStream(store, runner.value, c.req.param("stream_id"));
    if (!stream) return notFound(c, "log stream: unable to get log stream");
    const range = rangeOf(store, c, stream);
    if (!range.ok) return range.error;
    const packed = await readBody(c, LOG_LIMIT);
    if (!packed.ok) return packed.error;
    const payload = unpackBody(c, packed.value, LOG_LIMIT);
    if (!payload.ok) return payload.error;
    const decoded = decodeLogsRequest(payload.value);
    if (!decoded.ok) return badRequest(c, `unable to read the log records: ${decoded.error.message}`);
    const records = decoded.value.reduce((sum, group) => sum + group.records.length, 0);
    if (records === 0 && range.value === null) return badRequest(c, "empty slice found", "a request needs records");
    const answer = await store.db.group(() => {
      const result = logs.append({ streamId: stream.id, payload: payload.value, records, range: range.value });
      failpoint("coordinator.log.before");
      return result;
    });
    failpoint("coordinator.log.after");
    if (range.value === null) return c.json("ok", 201);
    return answer.ok ? c.json(answer.value) : c.json(answer.error, 409);
  });

  return app;
}

type Range = { readonly from: number; readonly to: number } | null;

/** The range of our headers, null without them. Refused: a stale epoch (409 error body), numbers that are none (400). */
function rangeOf(store: Store, c: Context, stream: LogStreamRow): Result<Range, Response> {
  const from = c.req.header(LOG_HEADERS.from);
  if (from === undefined) return ok(null);
  const to = Number(c.req.header(LOG_HEADERS.to));
  if (!Number.isSafeInteger(Number(from)) || !Number.isSafeInteger(to) || Number(from) < 0 || to < Number(from)) {
    return fail(badRequest(c, `${LOG_HEADERS.from} and ${LOG_HEADERS.to} must be positions with from <= to`));
  }
  const executionId = c.req.header(LOG_HEADERS.execution) ?? "";
  const execution = store.sql.execution.get(executionId);
  const epoch = Number(c.req.header(LOG_HEADERS.epoch));
  const job = execution ? store.sql.job.get(execution.job_id) : null;
  if (
    !execution ||
    !job ||
    stream.execution_id !== execution.id ||
    execution.epoch !== epoch ||
    !mayWrite(execution, job)
  ) {
    return fail(conflict(c, "the lease of this execution was lost", "stale epoch"));
  }
  return ok({ from: Number(from), to });
}

/** What an execution that reported its end still has to say belongs to it, even when the job is tried again. */
function mayWrite(execution: ExecutionRow, job: JobRow): boolean {
  return execution.epoch === job.epoch || execution.reported === 1;
}
