import type { Claim } from "../../protocol/native.ts";
import { msToNs } from "../../protocol/nuon/base.ts";
import type { JobExecution, RunnerJob } from "../../protocol/nuon/jobs.ts";
import type { RunnerSettings } from "../../protocol/nuon/settings.ts";
import { NUON_BEAT_MS } from "../../protocol/times.ts";
import type { KnownRunner } from "../store/runner-registry.ts";
import type { ExecutionRow, JobRow } from "../store/statements.ts";
import type { Store } from "../store/store.ts";
import type { Grant } from "../store/transitions/claim.ts";
import { leaseOf } from "../store/transitions/lease.ts";
import { gpusOf, optionsOf } from "../store/views.ts";
import type { RunnerApiDeps } from "./runner-deps.ts";

const iso = (ms: number) => new Date(ms).toISOString();

/** What stands in the middle of a job's document. */
interface JobParts {
  readonly executions?: JobExecution[];
}

/** A job as the runner API shows it, in the real server's order; zero values are left out, as that server does. */
export function jobDocument(job: JobRow, runnerId: string, parts: JobParts = {}): RunnerJob {
  return {
    id: job.id,
    created_by_id: job.created_by,
    created_at: iso(job.created_at),
    updated_at: iso(job.updated_at),
    runner_id: runnerId,
    owner_id: job.owner_id,
    owner_type: job.owner_type,
    log_stream_id: job.log_stream_id,
    queue_timeout: msToNs(job.queue_timeout_ms),
    available_timeout: msToNs(job.available_timeout_ms),
    execution_timeout: msToNs(job.execution_timeout_ms),
    overall_timeout: msToNs(
      job.queue_timeout_ms + job.max_executions * (job.available_timeout_ms + job.execution_timeout_ms),
    ),
    max_executions: job.max_executions,
    status: job.status,
    ...(job.reason === "" ? {} : { status_description: job.reason }),
    type: job.type,
    group: job.job_group,
    operation: job.operation,
    ...parts,
    ...(job.started_at === null ? {} : { started_at: iso(job.started_at) }),
    ...(job.finished_at === null ? {} : { finished_at: iso(job.finished_at) }),
    metadata: JSON.parse(job.metadata) as Record<string, string>,
  };
}

/** The single GET: with its latest execution and the outputs of the one that ended the job. */
export function jobWithExecutions(store: Store, job: JobRow, runnerId: string): RunnerJob {
  const executions = store.sql.executionsOfJob.all(job.id);
  const latest = executions.at(-1);
  const document = jobDocument(job, runnerId, { executions: latest ? [executionDocument(latest)] : [] });
  if (executions.length > 0) document.execution_count = executions.length;
  const final = executions.find((execution) => execution.id === job.final_execution_id);
  if (final && final.outputs !== null) {
    document.final_runner_job_execution_id = final.id;
    document.outputs_json = Buffer.from(final.outputs).toString("base64");
  }
  if (job.started_at !== null) {
    document.execution_time = msToNs((job.finished_at ?? store.clock.now()) - job.started_at);
  }
  if (final && final.outputs !== null) {
    document.outputs = JSON.parse(final.outputs) as Record<string, unknown> | null;
  }
  return document;
}

export function executionDocument(execution: ExecutionRow): JobExecution {
  return {
    id: execution.id,
    created_by_id: execution.runner_id,
    created_at: iso(execution.created_at),
    updated_at: iso(execution.updated_at),
    runner_job_id: execution.job_id,
    status: execution.status,
    ...(execution.client_version === "" ? {} : { metadata: { "client.version": execution.client_version } }),
  };
}

/** Settings with everything the Go runner reads; one without metadata would make it panic at start. */
export function settingsDocument(runner: KnownRunner, publicUrl: string): RunnerSettings {
  const created = iso(runner.row.created_at);
  return {
    id: `rgs${runner.row.id.slice(3)}`,
    created_by_id: "coordinator",
    created_at: created,
    updated_at: created,
    runner_group_id: `rgr${runner.row.id.slice(3)}`,
    container_image_url: "runner",
    container_image_tag: "latest",
    runner_api_url: publicUrl,
    sandbox_mode: false,
    heart_beat_timeout: msToNs(NUON_BEAT_MS),
    enable_sentry: false,
    enable_metrics: true,
    enable_logging: true,
    logging_level: "INFO",
    groups: ["operations", "sync", "deploy", "actions", "sandbox", "build"],
    metadata: { "runner.name": runner.row.name, "runner.type": "install" },
    aws_instance_type: "",
    aws_max_instance_lifetime: 604_800,
    aws_cloudformation_stack_type: "",
    platform: "",
    ...settingsWished(runner),
  };
}

/** What an operator has set, on the wire of the runner API. */
function settingsWished({ row, wishes }: KnownRunner): Partial<RunnerSettings> {
  const { heart_beat_timeout_ms: beat, metadata, ...same } = wishes;
  return {
    ...same,
    ...(beat === undefined ? {} : { heart_beat_timeout: msToNs(beat) }),
    metadata: { ...metadata, "runner.name": row.name, "runner.type": "install" },
  };
}

const NO_DOCUMENTS: Claim["documents"] = { action_run: null, action_config: null, app_config: null };

/** One granted job with all it needs, so that our runner fetches nothing before it begins. */
export function claimDocument(deps: RunnerApiDeps, grant: Grant, publicUrl: string): Claim {
  const { store } = deps;
  const { job, execution } = grant;
  const credentials = credentialsOf(store, execution);
  const plan = store.sql.plan.get(job.id);
  const documents = plan === null ? NO_DOCUMENTS : claimDocuments(store, job.id);
  const gpus = gpusOf(execution);
  const claim: Claim = {
    job: { ...jobDocument(job, execution.runner_id), log_stream_id: execution.log_stream_id },
    plan: plan === null ? null : deps.renderPlan(plan.text, { credentials, publicUrl }),
    execution_id: execution.id,
    lease: leaseOf(store, execution),
    credentials,
    ...(deps.spans ? { traceparent: deps.spans.traceparent(execution) } : {}),
    documents,
    options: { ...optionsOf(job), ...(gpus.length === 0 ? {} : { gpus }) },
  };
  return deps.sign ? { ...claim, signature: deps.sign(claim, execution.runner_id) } : claim;
}

export function credentialsOf(store: Store, execution: ExecutionRow): Claim["credentials"] {
  return {
    username: `${execution.id}.${execution.epoch}`,
    password: store.credentials.password(execution.id, execution.epoch),
  };
}

/** Stored documents were checked when they were made: they are not parsed by their schemas again. */
function claimDocuments(store: Store, jobId: string): Claim["documents"] {
  const found: { -readonly [Key in keyof Claim["documents"]]: Claim["documents"][Key] } = { ...NO_DOCUMENTS };
  for (const row of store.sql.documents.all(jobId)) {
    if (row.kind === "action_run" || row.kind === "action_config" || row.kind === "app_config") {
      found[row.kind] = JSON.parse(row.json);
    }
  }
  return found;
}
