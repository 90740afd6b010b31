import { executionSpanId, formatTraceparent, spanIdOf, traceIdOf } from "../kit/telemetry/trace-ids.ts";
import type { FinishedSpan, Tracer } from "../kit/telemetry/tracer.ts";
import type { ExecutionRow, JobRow } from "./store/statements.ts";
import type { Store } from "./store/store.ts";

export interface JobSpans {
  /** What a runner gets with a claim: the span of this execution, with our decision whether the trace is recorded. */
  traceparent(execution: Pick<ExecutionRow, "id" | "job_id" | "epoch">): string;
}

/**
 * The coordinator's part of a job's trace, told when the job has ended, from its rows: the job from its making to its
 * end, every wait for a runner, every execution. The runner's spans lie below that of their execution.
 */
export function traceJobs(store: Store, tracer: Tracer): JobSpans {
  const read = rowsOf(store);
  let ended: string[] = [];
  /** All that one group commit ended: two queries for dozens of jobs. */
  const tell = () => {
    const ids = JSON.stringify(ended);
    ended = [];
    const executions = Map.groupBy(read.executions.all(ids), (one) => one.job_id);
    for (const job of read.jobs.all(ids)) {
      for (const span of spansOf(job, executions.get(job.id) ?? [])) tracer.emit(span);
    }
  };
  store.jobEnded.push((jobId) => {
    if (!tracer.samples(traceIdOf(jobId), null)) return;
    store.db.afterCommit(() => {
      if (ended.push(jobId) === 1) queueMicrotask(tell);
    });
  });
  return {
    traceparent({ id, job_id, epoch }) {
      const traceId = traceIdOf(job_id);
      return formatTraceparent({ traceId, spanId: executionSpanId(id, epoch), sampled: tracer.samples(traceId, null) });
    },
  };
}

type TracedJob = Pick<
  JobRow,
  | "id"
  | "name"
  | "type"
  | "operation"
  | "job_group"
  | "change_id"
  | "status"
  | "reason"
  | "created_at"
  | "updated_at"
  | "finished_at"
>;
type TracedExecution = Pick<
  ExecutionRow,
  "id" | "job_id" | "runner_id" | "epoch" | "status" | "reason" | "created_at" | "finished_at"
>;

/** Only what a span tells: whole rows hold results and outputs. The parameter is a JSON list of job ids. */
function rowsOf({ db }: Store) {
  const listed = "(SELECT value FROM json_each(?))";
  return {
    jobs: db.prepare<TracedJob, [string]>(
      "SELECT id, name, type, operation, job_group, change_id, status, reason, created_at, updated_at, finished_at " +
        `FROM jobs WHERE id IN ${listed}`,
    ),
    executions: db.prepare<TracedExecution, [string]>(
      "SELECT id, job_id, runner_id, epoch, status, reason, created_at, finished_at " +
        `FROM executions WHERE job_id IN ${listed} ORDER BY epoch`,
    ),
  };
}

function* spansOf(job: TracedJob, executions: readonly TracedExecution[]): Generator<FinishedSpan> {
  const traceId = traceIdOf(job.id);
  const root = spanIdOf("job", job.id);
  const endMs = job.finished_at ?? job.updated_at;
  const about = { "job.id": job.id, "job.type": job.type, "job.operation": job.operation, "job.group": job.job_group };
  const within = { traceId, parentId: root, kind: "internal" } as const;
  yield {
    traceId,
    spanId: root,
    parentId: null,
    name: `job ${job.type}`,
    kind: "producer",
    startMs: job.created_at,
    endMs,
    attributes: { ...about, "job.name": job.name, "job.change.id": job.change_id, "job.outcome": job.status },
    error: job.status === "finished" ? null : job.reason || job.status,
  };
  let waitsFrom = job.created_at;
  for (const [n, execution] of executions.entries()) {
    const facts = {
      ...about,
      "job.execution.id": execution.id,
      "job.execution.epoch": execution.epoch,
      "runner.id": execution.runner_id,
    };
    const wait = spanIdOf("queued", job.id, n);
    yield {
      ...within,
      spanId: wait,
      name: "queued",
      startMs: waitsFrom,
      endMs: execution.created_at,
      attributes: about,
      error: null,
    };
    // An execution that lost its lease ends where the next one could begin.
    const over = execution.finished_at ?? executions[n + 1]?.created_at ?? endMs;
    yield {
      ...within,
      spanId: executionSpanId(execution.id, execution.epoch),
      name: "execution",
      startMs: execution.created_at,
      endMs: over,
      attributes: { ...facts, "job.outcome": execution.status },
      error: execution.status === "finished" ? null : execution.reason || execution.status,
    };
    waitsFrom = over;
  }
  if (executions.length === 0)
    yield {
      ...within,
      spanId: spanIdOf("queued", job.id, 0),
      name: "queued",
      startMs: waitsFrom,
      endMs,
      attributes: about,
      error: null,
    };
}
