import { z } from "zod";
import { executionStatus, type JOB_GROUPS, jobGroup, outcomeStatus, RUNNER_MODES, stepStatus } from "./enums.ts";
import { FOLDER_NAME } from "./ids.ts";
import { actionRun, actionWorkflowConfig } from "./nuon/actions.ts";
import { appConfig } from "./nuon/app-config.ts";
import { executionResultRequest, runnerJob } from "./nuon/jobs.ts";
import { runnerSettings } from "./nuon/settings.ts";

/**
 * The extension our two halves speak on top of the Nuon baseline (DESIGN section 6).
 * Discovered by `GET /v1/capabilities`; a foreign server answers 404 there.
 * Unknown keys are refused on these routes. Times are milliseconds unless a name says otherwise.
 *
 * | route | body → answer |
 * |---|---|
 * | GET  /v1/capabilities                    | → capabilities (no auth) |
 * | POST /v1/runners/{id}/sessions           | sessionRequest → 200 sessionResponse, 409 sessionConflict |
 * | POST /v1/runners/{id}/claims             | claimRequest → 200 claimResponse (held up to wait_ms) |
 * | POST /v1/runners/{id}/renewals           | renewRequest → 200 renewResponse |
 * | POST /v1/runners/{id}/completions        | completeRequest → 200 completeResponse |
 * | POST /v1/runners/{id}/events             | runnerEvent → 201 {} |
 * | POST /v1/log-streams/{id}/logs           | OTLP protobuf + LOG_HEADERS → 200 logAnswer, 409 logAnswer |
 */
export const EXTENSION_VERSION = 1;

export const capabilities = z.strictObject({
  name: z.literal("runner-coordinator"),
  extension: z.number().int(),
  version: z.string(),
});

const slots = z.partialRecord(jobGroup, z.number().int().min(0).max(10_000));
export type Slots = Partial<Record<(typeof JOB_GROUPS)[number], number>>;

export const inventory = z.strictObject({
  hostname: z.string(),
  os: z.string(),
  arch: z.string(), // amd64 | arm64
  cpus: z.number().int(),
  memory_bytes: z.number().int(),
  gpus: z.array(
    z.strictObject({ uuid: z.string(), vendor: z.string(), model: z.string(), memory_bytes: z.number().int() }),
  ),
  labels: z.record(z.string(), z.string()),
});
export type Inventory = z.infer<typeof inventory>;

export const leaseRef = z.strictObject({ execution_id: z.string(), epoch: z.number().int() });
export type LeaseRef = z.infer<typeof leaseRef>;

export const lease = z.strictObject({
  execution_id: z.string(),
  epoch: z.number().int(),
  /** RFC 3339, the coordinator's clock: for people. A runner counts `ttl_ms` from the moment it sent the request. */
  expires_at: z.string(),
  ttl_ms: z.number().int(),
});
export type Lease = z.infer<typeof lease>;

export const times = z.strictObject({
  claim_hold_ms: z.number().int(),
  lease_ms: z.number().int(),
  renew_ms: z.number().int(),
  suspect_ms: z.number().int(),
  offline_ms: z.number().int(),
});

export const sessionRequest = z.strictObject({
  instance_id: z.string(),
  mode: z.enum(RUNNER_MODES),
  version: z.string(),
  inventory,
  /** Capacity per group, not what is free. */
  slots,
  job_types: z.array(z.string()),
  /** Executions this instance still holds from before a restart. */
  held: z.array(leaseRef),
});
export type SessionRequest = z.infer<typeof sessionRequest>;

export const sessionResponse = z.strictObject({
  session_id: z.string(),
  settings: runnerSettings,
  times,
  /** For each held execution: go on (with its lease, same epoch) or stop and report nothing. */
  held: z.array(
    z.strictObject({
      execution_id: z.string(),
      verdict: z.enum(["continue", "cancel", "stop"]),
      reason: z.string(),
      lease: lease.nullable(),
    }),
  ),
});
export type SessionResponse = z.infer<typeof sessionResponse>;

export const sessionConflict = z.strictObject({
  error: z.string(),
  user_error: z.boolean(),
  description: z.string(),
  holder: z.strictObject({ instance_id: z.string(), hostname: z.string(), last_contact_at: z.string() }),
  retry_after_ms: z.number().int(),
});

/** Level-triggered wishes of the coordinator. `seq` grows; a claim names the last one seen. */
export const directive = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("cancel"), seq: z.number().int(), execution_id: z.string(), reason: z.string() }),
  z.strictObject({ kind: z.literal("drain"), seq: z.number().int(), reason: z.string() }),
  z.strictObject({ kind: z.literal("settings"), seq: z.number().int() }),
]);
export type Directive = z.infer<typeof directive>;

export const claimRequest = z.strictObject({
  instance_id: z.string(),
  /** Idempotency: journalled before the request; a repeated key returns what it was granted. */
  key: z.string().min(8).max(64),
  /** Free slots per group right now. All zero: held for directives only. A new claim of an instance ends its older held one. */
  slots,
  wait_ms: z.number().int().min(0).max(60_000),
  after: z.number().int(),
});
export type ClaimRequest = z.infer<typeof claimRequest>;

export const claim = z.strictObject({
  job: runnerJob,
  /** The exact plan text, null for types without one. */
  plan: z.string().nullable(),
  execution_id: z.string().regex(FOLDER_NAME),
  lease,
  /** Basic credentials of this execution for Terraform state and `/v2/`; user is `<execution>.<epoch>`. */
  credentials: z.strictObject({ username: z.string(), password: z.string() }),
  /** W3C Trace Context: the coordinator's span of this execution. Absent: it records no trace of the job. */
  traceparent: z.string().optional(),
  /** Compact JWS over the work (kit/signing); absent: the coordinator has no key. */
  signature: z.string().optional(),
  /** Documents that a Go runner would fetch one by one. */
  documents: z.strictObject({
    action_run: actionRun.nullable(),
    action_config: actionWorkflowConfig.nullable(),
    app_config: appConfig.nullable(),
  }),
  /** Wishes of the job file that no Nuon document carries. */
  options: z.strictObject({
    verify: z.boolean(),
    cancel_grace_ms: z.number().int().nullable(),
    /** Variables of the plan that are secret: their values are registered for redaction before anything else. */
    sensitive_vars: z.array(z.string()),
    /** Limits of the work; absent: none. */
    resources: z
      .strictObject({
        cpu: z.number().nullable(),
        memory_bytes: z.number().int().nullable(),
        /** Processes and threads. */
        pids: z.number().int().exactOptional(),
      })
      .exactOptional(),
    /** What the job file asks of outputs, by name; absent: nothing. */
    outputs: z.record(z.string(), z.strictObject({ required: z.boolean(), sensitive: z.boolean() })).exactOptional(),
    /** UUIDs of the GPUs that the lease grants; absent: none. */
    gpus: z.array(z.string()).exactOptional(),
  }),
});
export type Claim = z.infer<typeof claim>;

export const claimResponse = z.strictObject({
  claims: z.array(claim),
  directives: z.array(directive),
  after: z.number().int(),
});
export type ClaimResponse = z.infer<typeof claimResponse>;

/** One step of the work, as `run-local --json` shows it. */
export const stepReport = z.strictObject({
  name: z.string(),
  status: stepStatus,
  started_at: z.string().nullable(),
  duration_ms: z.number(),
  exit_code: z.number().int().nullable(),
});
export type StepReport = z.infer<typeof stepReport>;

export const renewRequest = z.strictObject({
  instance_id: z.string(),
  executions: z.array(
    z.strictObject({
      execution_id: z.string(),
      epoch: z.number().int(),
      status: executionStatus,
      /** Lifecycle step: fetch, validate, initialize, execute, outputs, report, cleanup. */
      phase: z.string(),
      steps: z.array(stepReport),
    }),
  ),
  host: z.strictObject({ load: z.number(), memory_free_bytes: z.number(), disk_free_bytes: z.number() }),
  after: z.number().int(),
});
export type RenewRequest = z.infer<typeof renewRequest>;

export const renewResponse = z.strictObject({
  leases: z.array(lease),
  lost: z.array(z.strictObject({ execution_id: z.string(), reason: z.string() })),
  directives: z.array(directive),
  after: z.number().int(),
});
export type RenewResponse = z.infer<typeof renewResponse>;

export const completion = z.strictObject({
  execution_id: z.string(),
  epoch: z.number().int(),
  status: outcomeStatus,
  /** One line for people; empty when finished. */
  reason: z.string(),
  /** Machine word beside it, e.g. `exit_code_lost`, `tool_missing`; empty when there is none. */
  code: z.string(),
  result: executionResultRequest.nullable(),
  outputs: z.record(z.string(), z.unknown()).nullable(),
  /** Names of outputs to show as [redacted]. */
  sensitive_outputs: z.array(z.string()),
  steps: z.array(stepReport),
});
export type Completion = z.infer<typeof completion>;

export const completeRequest = z.strictObject({
  instance_id: z.string(),
  completions: z.array(completion),
  /** Executions whose cleanup has ended; may come with, or after, their completion. */
  cleanups: z.array(
    z.strictObject({ execution_id: z.string(), epoch: z.number().int(), error: z.string().nullable() }),
  ),
});
export type CompleteRequest = z.infer<typeof completeRequest>;

/** `recorded: false` names why (stale epoch, job already ended otherwise); it is final, never repeat it. */
export const completeResponse = z.strictObject({
  completions: z.array(
    z.strictObject({ execution_id: z.string(), recorded: z.boolean(), job_status: z.string(), reason: z.string() }),
  ),
});
export type CompleteResponse = z.infer<typeof completeResponse>;

/**
 * Headers of a log POST by our runner. `from` and `to` are positions in the execution's output file: bytes before
 * redaction, so the range is opaque to the coordinator. It stores a batch only when `from` equals what it has;
 * otherwise 409, and the runner goes on from `stored`.
 */
export const LOG_HEADERS = {
  execution: "X-Runner-Execution",
  epoch: "X-Runner-Epoch",
  from: "X-Log-From",
  to: "X-Log-To",
} as const;
export const logAnswer = z.strictObject({ stored: z.number().int() });

/** Attributes our runner puts on log records beside those of nuon-runner-api.md 8.3. */
export const LOG_ATTRIBUTES = {
  /** `tool` (output of a program) or `runner` (a line of ours). */
  source: "runner.source",
  /** true on a record whose text does not end a line. */
  partial: "runner.partial",
  /** Bytes that this notice stands for. */
  dropped: "runner.dropped_bytes",
  jobId: "runner_job.id",
  jobType: "runner_job.type",
  executionId: "runner_job_execution.id",
  phase: "runner_job_execution_step.name",
  streamId: "log_stream.id",
  workflowStep: "workflow_step_name",
} as const;

/** What a runner tells of its version and its machine, beside what its jobs report. */
export const RUNNER_EVENTS = [
  "updated",
  "update-rolled-back",
  "update-failed",
  "disk-low",
  "disk-enough",
  "memory-low",
  "memory-enough",
  "oom-kill",
] as const;

export const runnerEvent = z.strictObject({
  /** Of the happening: told again with the same id it is one event. */
  id: z.string().min(1).max(300),
  what: z.enum(RUNNER_EVENTS),
  /** One line for people. */
  why: z.string().max(2_000),
});
export type RunnerEvent = z.infer<typeof runnerEvent>;
