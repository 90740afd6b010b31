import { newId } from "../../../protocol/ids.ts";
import type { Store } from "../store.ts";
import type { NewJob } from "../types.ts";
import { noteHelmChart } from "./helm-releases.ts";
import { offer } from "./offer.ts";

const DAY_MS = 86_400_000;
const AVAILABLE_TIMEOUT_MS = 30_000;

/** Accepts a job: `queued`, and `available` at once when a runner has room for it. */
export function submitJob(store: Store, job: NewJob): void {
  store.db.transaction(() => {
    insertJob(store, job, newId("logStream"));
    insertDocuments(store, job);
    store.events.append({
      what: "queued",
      by: job.createdBy,
      jobId: job.id,
      changeId: job.changeId,
      runnerId: job.runnerId,
    });
    offer(store, job.id);
    store.wake.jobs();
  }, "full");
}

function insertJob(store: Store, job: NewJob, streamId: string): void {
  const now = store.clock.now();
  const { db } = store;
  db.run(
    db.kysely.insertInto("jobs").values({
      id: job.id,
      change_id: job.changeId,
      name: job.name,
      type: job.type,
      job_group: job.group,
      operation: job.operation,
      status: "queued",
      reason: "",
      runner_id: job.runnerId,
      owner_id: job.ownerId,
      owner_type: job.ownerType,
      metadata: JSON.stringify(job.metadata),
      requires: JSON.stringify(job.requires),
      options: JSON.stringify(job.options),
      workspace_id: job.workspaceId,
      log_stream_id: streamId,
      queue_timeout_ms: job.queueTimeoutMs ?? DAY_MS,
      available_timeout_ms: AVAILABLE_TIMEOUT_MS,
      execution_timeout_ms: job.executionTimeoutMs,
      max_executions: job.maxExecutions,
      attempts: 0,
      lease_losses: 0,
      epoch: 0,
      parked: 0,
      cancel_at: null,
      cancel_reason: "",
      cancel_by: "",
      final_execution_id: null,
      created_by: job.createdBy,
      created_at: now,
      updated_at: now,
      queued_at: now,
      started_at: null,
      finished_at: null,
    }),
  );
  addLogStream(store, streamId, job.id);
}

/** Each execution writes to a stream of its own; a job has the next one ready, because a Go runner logs before it reserves. */
export function addLogStream(store: Store, streamId: string, jobId: string): void {
  const now = store.clock.now();
  store.db
    .prepare<unknown, [string, string, number, number]>(
      "INSERT INTO log_streams (id, job_id, created_at, updated_at) VALUES (?, ?, ?, ?)",
    )
    .run(streamId, jobId, now, now);
}

function insertDocuments(store: Store, job: NewJob): void {
  const { db } = store;
  const put = db.prepare<unknown, [string, string, string]>(
    "INSERT INTO documents (job_id, kind, json) VALUES (?, ?, ?)",
  );
  const name = db.prepare<unknown, [string, string, string, string]>(
    "INSERT INTO document_ids (id, job_id, kind, name) VALUES (?, ?, ?, ?)",
  );
  if (job.plan !== null) {
    db.prepare<unknown, [string, string]>("INSERT INTO plans (job_id, text) VALUES (?, ?)").run(job.id, job.plan);
    noteHelmChart(store, job.id, job.plan);
  }
  for (const [kind, document] of Object.entries({ ...job.documents, ...job.extra })) {
    if (document !== null && document !== undefined) put.run(job.id, kind, JSON.stringify(document));
  }
  if (job.exact) return;
  const { action_run: run, action_config: config, app_config: app } = job.documents;
  if (run) name.run(run.id, job.id, "action_run", "");
  if (config) name.run(config.id, job.id, "action_config", "");
  if (app) name.run(app.id, job.id, "app_config", "");
  const names = new Map((config?.steps ?? []).map((step) => [step.id, step.name ?? ""]));
  for (const step of run?.steps ?? []) name.run(step.id, job.id, "action_step", names.get(step.step_id ?? "") ?? "");
}
