import {
  executionSpanId,
  formatTraceparent,
  jobSpanId,
  numberedSpanId,
  traceIdOf,
} from "../kit/telemetry/trace-ids.ts";
import type { Tracer } from "../kit/telemetry/tracer.ts";
import type { ExecutionRow, JobRow } from "./store/statements.ts";
import type { Store } from "./store/store.ts";
import type { FinishedJob } from "./store/types.ts";

export interface JobSpans {
  /** What a runner gets with a claim: the span of this execution, with our decision whether the trace is recorded. */
  traceparent(execution: Pick<ExecutionRow, "job_id" | "epoch">): string;
}

/**
 * The coordinator's part of a job's trace, told when the job has ended: the job from its making to its end, every wait
 * for a runner, every execution. The runner's spans lie below that of their execution.
 */
export function traceJobs(store: Store, tracer: Tracer): JobSpans {
  const read = rowsOf(store);
  let ended: string[] = [];
  /** All that one group commit ended: two queries for dozens of jobs. */
  const tell = () => {
    const ids = JSON.stringify(ended);
    ended = [];
    const executions = Map.groupBy(read.executions.all(ids), (one) => one.job_id);
    for (const job of read.jobs.all(ids)) tellJob(tracer, traceIdOf(job.id), job, executions.get(job.id) ?? []);
  };
  store.jobEnded.push((jobId, finished) => {
    const traceId = traceIdOf(jobId);
    if (!tracer.samples(traceId, null)) return;
    store.db.afterCommit(() => {
      // Nearly every job: reading it again would cost more than its spans.
      if (finished?.execution.epoch === 1) tellFinished(tracer, traceId, finished);
      else if (ended.push(jobId) === 1) queueMicrotask(tell);
    });
  });
  return {
    traceparent({ job_id, epoch }) {
      const traceId = traceIdOf(job_id);
      const spanId = executionSpanId(traceId, epoch);
      return formatTraceparent({ traceId, spanId, sampled: tracer.samples(traceId, null) });
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

/** With what the queries would answer for a job that its first execution finished. */
function tellFinished(tracer: Tracer, traceId: string, { job, execution, endedMs }: FinishedJob): void {
  const { id, name, type, operation, job_group, change_id, created_at } = job;
  const end = { status: "finished", reason: "", updated_at: endedMs, finished_at: endedMs } as const;
  const { runner_id, epoch } = execution;
  const only = { id: execution.id, job_id: id, runner_id, epoch, created_at: execution.created_at, ...end };
  tellJob(tracer, traceId, { id, name, type, operation, job_group, change_id, created_at, ...end }, [only]);
}

function tellJob(tracer: Tracer, traceId: string, job: TracedJob, executions: readonly TracedExecution[]): void {
  const root = jobSpanId(traceId);
  const endMs = job.finished_at ?? job.updated_at;
  const wait = (spanId: string, startMs: number, until: number) =>
    tracer.emit({
      traceId,
      spanId,
      parentId: root,
      name: "queued",
      kind: "internal",
      startMs,
      endMs: until,
      attributes: NONE,
      error: null,
    });
  tracer.emit({
    traceId,
    spanId: root,
    parentId: null,
    name: `job ${job.type}`,
    kind: "producer",
    startMs: job.created_at,
    endMs,
    attributes: {
      "job.id": job.id,
      "job.type": job.type,
      "job.operation": job.operation,
      "job.group": job.job_group,
      "job.name": job.name,
      "job.change.id": job.change_id,
      "job.outcome": job.status,
    },
    error: job.status === "finished" ? null : job.reason || job.status,
  });
  let waitsFrom = job.created_at;
  for (const [n, execution] of executions.entries()) {
    const spanId = executionSpanId(traceId, execution.epoch);
    wait(numberedSpanId(spanId, 0), waitsFrom, execution.created_at);
    // An execution that lost its lease ends where the next one could begin.
    waitsFrom = execution.finished_at ?? executions[n + 1]?.created_at ?? endMs;
    tracer.emit({
      traceId,
      spanId,
      parentId: root,
      name: "execution",
      kind: "internal",
      startMs: execution.created_at,
      endMs: waitsFrom,
      attributes: {
        "job.execution.id": execution.id,
        "job.execution.epoch": execution.epoch,
        "runner.id": execution.runner_id,
        "job.outcome": execution.status,
      },
      error: execution.status === "finished" ? null : execution.reason || execution.status,
    });
  }
  if (executions.length === 0) wait(numberedSpanId(root, 0), waitsFrom, endMs);
}

const NONE = {};
