import type { JobGroup } from "../../../protocol/enums.ts";
import { fail, ok, type Result } from "../../../protocol/errors.ts";
import { newId } from "../../../protocol/ids.ts";
import type { Slots } from "../../../protocol/native.ts";
import { NUON_LOST_MS } from "../../../protocol/times.ts";
import { hasRoom, obstacleOf, pickForClaim, type RunnerView } from "../../queue/evaluate.ts";
import { executionGraceMs } from "../grace.ts";
import { groupsOf } from "../runner-registry.ts";
import type { ExecutionRow, JobRow } from "../statements.ts";
import type { Store } from "../store.ts";
import type { Refusal } from "../types.ts";
import { jobView, type QueuedView, runnerView, runningNow } from "../views.ts";
import { endJob } from "./end.ts";
import { setAvailable } from "./offer.ts";
import { notFound, refuse } from "./shared.ts";

/** Waiting jobs read at once: a little more than are wanted, then ever more while nothing suits. */
const MIN_PAGE = 16;
const MAX_PAGE = 256;

export interface ClaimInput {
  readonly runnerId: string;
  readonly instanceId: string;
  /** Repeating a key answers what it was granted. */
  readonly key: string;
  readonly slots: Slots;
}

/** What was granted, job row as it is after the claim. */
export interface Grant {
  readonly job: JobRow;
  readonly execution: ExecutionRow;
}

/** available (or queued) → in-progress for as many jobs as the free slots take, oldest first. */
export function claimJobs(store: Store, input: ClaimInput): Grant[] {
  return store.db.transaction(() => {
    const again = grantedBefore(store, input);
    if (again.length > 0) return again;
    const runner = store.runners.get(input.runnerId);
    if (!runner?.session) return [];
    let view = { ...runnerView(store, runner), live: true };
    const grants: Grant[] = [];
    for (const group of groupsOf(input.slots)) {
      const free = input.slots[group] ?? 0;
      const picked = pickForClaim(candidates(store, group, view.id, free), view, free);
      const claim = { runner: view, instanceId: input.instanceId, key: input.key, clientVersion: "" };
      for (const { job, gpus } of picked) grants.push(start(store, job.row, { ...claim, gpus }));
      const taken = picked.flatMap((one) => one.gpus);
      view = { ...view, freeGpus: view.freeGpus.filter((uuid) => !taken.includes(uuid)) };
    }
    return grants;
  }, "full");
}

/** The one reservation of a Go runner: compare-and-set, a loser changes nothing. */
export function reserveJob(
  store: Store,
  input: {
    readonly runnerId: string;
    readonly jobId: string;
    readonly instanceId: string;
    readonly clientVersion: string;
  },
): Result<Grant, Refusal> {
  return store.db.transaction(() => {
    const job = store.sql.job.get(input.jobId);
    const runner = store.runners.get(input.runnerId);
    if (!job || !runner) return notFound("job");
    const by = `runner:${input.runnerId}`;
    if (job.status !== "available") {
      return refuse(store, "reserve", { code: "illegal", message: `the job is ${job.status}` }, { job, by });
    }
    const view = { ...runnerView(store, runner), live: true };
    if (obstacleOf(jobView(job), view) !== null) return notFound("job");
    if (!hasRoom(job.job_group, view, runningNow(store))) {
      return fail({ code: "busy", message: "this runner works on another job" });
    }
    if (endsAtStart(store, job)) return fail({ code: "illegal", message: "the job cannot start any more" });
    const { instanceId, clientVersion } = input;
    return ok(start(store, job, { runner: view, instanceId, key: "", clientVersion, gpus: [] }));
  }, "full");
}

/** What has become wrong since the job was queued ends it here, before anything of it runs. */
function endsAtStart(store: Store, job: JobRow): boolean {
  for (const check of store.startChecks) {
    const reason = check(job);
    if (reason === null) continue;
    endJob(store, job, { status: "failed", reason, by: "system" });
    return true;
  }
  return false;
}

function grantedBefore(store: Store, input: ClaimInput): Grant[] {
  const grants: Grant[] = [];
  for (const execution of store.sql.openOfRunner.all(input.runnerId)) {
    if (execution.claim_key !== input.key || execution.instance_id !== input.instanceId) continue;
    const job = execution.lost_at === null ? store.sql.job.get(execution.job_id) : null;
    if (job) grants.push({ job, execution });
  }
  return grants;
}

function* candidates(store: Store, group: JobGroup, runnerId: string, wanted: number): Generator<QueuedView> {
  let after = 0;
  for (let size = Math.max(MIN_PAGE, wanted); ; size *= 2) {
    const limit = Math.min(size, MAX_PAGE);
    const page = store.sql.waitingInGroup.all(group, runnerId, after, limit);
    for (const row of page) if (!endsAtStart(store, row)) yield jobView(row);
    const last = page.at(-1);
    if (last === undefined || page.length < limit) return;
    after = last.rowid;
  }
}

interface Start {
  readonly runner: RunnerView;
  readonly instanceId: string;
  readonly key: string;
  readonly clientVersion: string;
  readonly gpus: readonly string[];
}

function start(store: Store, before: JobRow, by: Start): Grant {
  const { runner, instanceId, key, clientVersion, gpus } = by;
  if (before.status === "queued") setAvailable(store, before);
  supersede(store, before);
  const now = store.clock.now();
  const epoch = before.epoch + 1;
  const execution: ExecutionRow = {
    ...NEW_EXECUTION,
    id: newId("execution"),
    job_id: before.id,
    runner_id: runner.id,
    instance_id: instanceId,
    dialect: runner.dialect,
    epoch,
    claim_key: key,
    log_stream_id: before.log_stream_id,
    lease_expires_at: now + (runner.dialect === "native" ? store.times.lease_ms : NUON_LOST_MS),
    deadline_at: now + before.execution_timeout_ms + executionGraceMs(before, runner.dialect),
    client_version: clientVersion,
    gpus: JSON.stringify(gpus),
    created_at: now,
    updated_at: now,
  };
  insertExecution(store, execution);
  const job: JobRow = {
    ...before,
    status: "in-progress",
    reason: "",
    epoch,
    attempts: before.attempts + 1,
    started_at: before.started_at ?? now,
    updated_at: now,
  };
  store.db
    .prepare<unknown, [number, number, number, string]>(
      `UPDATE jobs SET status = 'in-progress', reason = '', epoch = epoch + 1, attempts = attempts + 1,
       started_at = coalesce(started_at, ?), updated_at = ?, parked = 0 WHERE epoch = ? - 1 AND id = ?`,
    )
    .run(now, now, epoch, job.id);
  store.db
    .prepare<unknown, [string, string]>("UPDATE log_streams SET execution_id = ? WHERE id = ?")
    .run(execution.id, execution.log_stream_id);
  store.events.append({
    what: "in-progress",
    by: `runner:${runner.id}`,
    jobId: job.id,
    changeId: job.change_id,
    runnerId: runner.id,
    executionId: execution.id,
    epoch,
  });
  return { job, execution };
}

/** The job was given to someone else: an instance that comes back with the old lease stops and reports nothing. */
function supersede(store: Store, job: JobRow): void {
  if (job.epoch === 0) return;
  const now = store.clock.now();
  store.db
    .prepare<unknown, [number, number, string]>(
      `UPDATE executions SET status = 'failed', reason = 'the lease was lost', code = 'lease_lost', finished_at = ?,
       updated_at = ? WHERE job_id = ? AND finished_at IS NULL`,
    )
    .run(now, now, job.id);
}

const NEW_EXECUTION = {
  status: "pending",
  phase: "",
  reason: "",
  code: "",
  lost_at: null,
  cancel_seq: 0,
  result: null,
  outputs: null,
  sensitive_outputs: "[]",
  steps: "[]",
  reported: 0,
  cleanup_at: null,
  cleanup_error: null,
  started_at: null,
  finished_at: null,
} as const;

function insertExecution(store: Store, e: ExecutionRow): void {
  store.db
    .prepare<
      unknown,
      [string, string, string, string, string, number, string, string, number, number, string, string, number, number]
    >(
      `INSERT INTO executions (id, job_id, runner_id, instance_id, dialect, epoch, status, claim_key, log_stream_id,
       lease_expires_at, deadline_at, client_version, gpus, created_at, updated_at)
       VALUES (?, ?, ?, ?, ?, ?, 'pending', ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    .run(
      e.id,
      e.job_id,
      e.runner_id,
      e.instance_id,
      e.dialect,
      e.epoch,
      e.claim_key,
      e.log_stream_id,
      e.lease_expires_at,
      e.deadline_at,
      e.client_version,
      e.gpus,
      e.created_at,
      e.updated_at,
    );
}
