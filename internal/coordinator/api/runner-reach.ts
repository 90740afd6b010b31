import { z } from "zod";
import type { JobGroup } from "../../protocol/enums.ts";
import { hasRoom, obstacleOf } from "../queue/evaluate.ts";
import type { KnownRunner } from "../store/runner-registry.ts";
import type { ExecutionRow, JobRow, LogStreamRow, WorkspaceRow } from "../store/statements.ts";
import type { Store } from "../store/store.ts";
import { setAvailable } from "../store/transitions/offer.ts";
import { ownerOf } from "../store/transitions/owned-workspaces.ts";
import { jobView, runnerView, runningNow } from "../store/views.ts";

/** A token reaches its own jobs, plans, streams and workspaces; what it does not reach does not exist for it. */
export function reachJob(store: Store, runner: KnownRunner, jobId: string): JobRow | null {
  const job = store.sql.job.get(jobId);
  if (!job) return null;
  return job.runner_id === runner.row.id || ran(store, runner, job.id) || isOffered(store, runner, job) ? job : null;
}

export function reachExecution(
  store: Store,
  runner: KnownRunner,
  jobId: string,
  executionId: string,
): { readonly job: JobRow; readonly execution: ExecutionRow } | null {
  const execution = store.sql.execution.get(executionId);
  if (!execution || execution.job_id !== jobId || execution.runner_id !== runner.row.id) return null;
  const job = store.sql.job.get(jobId);
  return job ? { job, execution } : null;
}

/** A Go runner writes to the stream before it reserves the job. */
export function reachStream(store: Store, runner: KnownRunner, streamId: string): LogStreamRow | null {
  const stream = store.sql.logStream.get(streamId);
  if (!stream) return null;
  if (stream.execution_id !== null) {
    return store.sql.execution.get(stream.execution_id)?.runner_id === runner.row.id ? stream : null;
  }
  return reachJob(store, runner, stream.job_id) ? stream : null;
}

/** Workspaces of jobs that this runner runs or ran, and those it made. */
export function reachWorkspace(store: Store, runner: KnownRunner, workspaceId: string): WorkspaceRow | null {
  const workspace = store.sql.workspace.get(workspaceId);
  if (!workspace) return null;
  if (ownerOf(store, workspaceId)?.runner_id === runner.row.id) return workspace;
  const found = store.db
    .prepare<{ one: number }, [string, string]>(
      `SELECT 1 AS one FROM jobs j JOIN executions e ON e.job_id = j.id
       WHERE j.workspace_id = ? AND e.runner_id = ? LIMIT 1`,
    )
    .get(workspaceId, runner.row.id);
  return found ? workspace : null;
}

/** Job and step behind an id inside a document. */
export function reachDocument(
  store: Store,
  runner: KnownRunner,
  id: string,
  kind: string,
): { readonly job: JobRow; readonly name: string } | null {
  const found = store.sql.documentId.get(id);
  const job = found?.kind === kind ? reachJob(store, runner, found.job_id) : null;
  const known = job && found ? { job, name: found.name } : null;
  if (known && openExecution(store, runner, known.job.id)) return known;
  // An exact plan that was copied from that job names the same ids.
  return documentInHand(store, runner, id, kind) ?? known;
}

const idOnly = z.object({ id: z.string() });
const stepsOnly = z.object({ steps: z.array(z.object({ id: z.string(), step_id: z.string().default("") })) });
const namesOnly = z.object({ steps: z.array(z.object({ id: z.string(), name: z.string().default("") })) });

/** The ids of an exact plan are the submitter's, so they name something only to the runner that works on the job. */
function documentInHand(store: Store, runner: KnownRunner, id: string, kind: string): ReturnType<typeof reachDocument> {
  for (const { job_id } of store.sql.openOfRunner.all(runner.row.id)) {
    const job = store.sql.job.get(job_id);
    if (job && kind !== "action_step") {
      const json = documentOf(store, job_id, kind);
      if (json !== null && idOnly.parse(JSON.parse(json)).id === id) return { job, name: "" };
    } else if (job) {
      const run = documentOf(store, job_id, "action_run");
      const step = run === null ? undefined : stepsOnly.parse(JSON.parse(run)).steps.find((one) => one.id === id);
      if (step === undefined) continue;
      const config = namesOnly.parse(JSON.parse(documentOf(store, job_id, "action_config") ?? '{"steps":[]}'));
      return { job, name: config.steps.find((one) => one.id === step.step_id)?.name ?? "" };
    }
  }
  return null;
}

export function documentOf(store: Store, jobId: string, kind: string): string | null {
  return store.sql.documents.all(jobId).find((row) => row.kind === kind)?.json ?? null;
}

/** The execution that a Go runner means when it names only the job. */
export function openExecution(store: Store, runner: KnownRunner, jobId: string): ExecutionRow | null {
  return store.sql.openOfJob.all(jobId).find((execution) => execution.runner_id === runner.row.id) ?? null;
}

/** The execution of this runner that works on a workspace now. */
export function openInWorkspace(store: Store, runner: KnownRunner, workspaceId: string): ExecutionRow | null {
  const open = store.sql.openOfRunner.all(runner.row.id);
  return open.find((execution) => store.sql.job.get(execution.job_id)?.workspace_id === workspaceId) ?? null;
}

/**
 * The job a Go runner may reserve now: the oldest of all groups it polls, and only when it works on nothing else. A
 * waiting job becomes available with it.
 */
export function offerToPoll(store: Store, runner: KnownRunner, group: JobGroup | null): JobRow[] {
  const view = { ...runnerView(store, runner), live: true };
  const running = runningNow(store);
  return store.db.transaction(() => {
    const fitting = store.sql.waiting
      .all(POLL_LOOKS_AT)
      .filter((job) => obstacleOf(jobView(job), view) === null && hasRoom(job.job_group, view, running));
    const next = [
      fitting.find((job) => job.job_group !== "management"),
      fitting.find((job) => job.job_group === "management"),
    ];
    const offered = next.filter((job) => job !== undefined).filter((job) => group === null || job.job_group === group);
    return offered.map((job) => {
      if (job.status === "queued") setAvailable(store, job);
      return { ...job, status: "available" as const, reason: "" };
    });
  });
}

const POLL_LOOKS_AT = 500;

function ran(store: Store, runner: KnownRunner, jobId: string): boolean {
  return store.sql.executionsOfJob.all(jobId).some((execution) => execution.runner_id === runner.row.id);
}

function isOffered(store: Store, runner: KnownRunner, job: JobRow): boolean {
  return job.status === "available" && obstacleOf(jobView(job), runnerView(store, runner)) === null;
}
