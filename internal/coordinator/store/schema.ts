import type { Generated } from "kysely";
import type { ExecutionStatus, JobGroup, JobStatus } from "../../protocol/enums.ts";

/**
 * Tables of the coordinator. Times are integer milliseconds since the epoch (columns `*_at`), durations milliseconds
 * (`*_ms`), booleans 0 or 1, documents JSON text. Written by the transition functions only.
 */
export interface Schema {
  runners: RunnersTable;
  sessions: SessionsTable;
  jobs: JobsTable;
  plans: PlansTable;
  documents: DocumentsTable;
  document_ids: DocumentIdsTable;
  executions: ExecutionsTable;
  changes: ChangesTable;
  events: EventsTable;
  workspaces: WorkspacesTable;
  states: StatesTable;
  drift_checks: DriftChecksTable;
  state_json: StateJsonTable;
  locks: LocksTable;
  log_streams: LogStreamsTable;
  settings: SettingsTable;
  audit: AuditTable;
  sources: SourcesTable;
  former_tokens: FormerTokensTable;
  runner_identities: RunnerIdentitiesTable;
  runner_tokens: RunnerTokensTable;
  source_blobs: SourceBlobsTable;
}

export interface RunnersTable {
  id: string;
  name: string;
  /** SHA-256 of the token, hex. */
  token_hash: string;
  labels: string;
  draining: number;
  /** Event that asked for the drain; the directive's seq. */
  drain_seq: number;
  settings_seq: number;
  created_at: number;
  deleted_at: number | null;
}

/** The one session of a runner: what its instance announced. A take-over replaces the row. */
export interface SessionsTable {
  runner_id: string;
  id: string;
  instance_id: string;
  dialect: "native" | "nuon";
  mode: string;
  version: string;
  /** JSON of protocol/native.ts inventory; null for a Go runner. */
  inventory: string | null;
  slots: string;
  job_types: string;
  started_at: number;
  last_contact_at: number;
}

export interface JobsTable {
  id: string;
  change_id: string | null;
  name: string;
  type: string;
  job_group: JobGroup;
  operation: string;
  status: JobStatus;
  /** Reason for waiting, or for the end; empty when there is nothing to say. */
  reason: string;
  /** Only this runner may take it; null: any. */
  runner_id: string | null;
  owner_id: string;
  owner_type: string;
  metadata: string;
  /** JSON `JobRequires` of store/types.ts. */
  requires: string;
  /** JSON of a claim's options (protocol/native.ts). */
  options: string;
  workspace_id: string | null;
  /** Stream of the current or next execution. */
  log_stream_id: string;
  queue_timeout_ms: number;
  available_timeout_ms: number;
  execution_timeout_ms: number;
  max_executions: number;
  attempts: number;
  lease_losses: number;
  /** Epoch of the last execution; grows with each. */
  epoch: number;
  /** Waits for a person (DESIGN invariant 6). */
  parked: number;
  cancel_at: number | null;
  cancel_reason: string;
  cancel_by: string;
  final_execution_id: string | null;
  created_by: string;
  created_at: number;
  updated_at: number;
  queued_at: number;
  started_at: number | null;
  finished_at: number | null;
}

export interface PlansTable {
  job_id: string;
  text: string;
}

/** `kind`: action_run, action_config, app_config; E adds `spec` (the job file) and what else belongs to a job. */
export interface DocumentsTable {
  job_id: string;
  kind: string;
  json: string;
}

/** Ids inside documents that baseline routes look up. `kind`: action_run, action_config, app_config, action_step. */
export interface DocumentIdsTable {
  id: string;
  job_id: string;
  kind: string;
  /** Step name for action_step. */
  name: string;
}

export interface ExecutionsTable {
  id: string;
  job_id: string;
  runner_id: string;
  instance_id: string;
  dialect: "native" | "nuon";
  epoch: number;
  status: ExecutionStatus;
  phase: string;
  reason: string;
  code: string;
  claim_key: string;
  log_stream_id: string;
  lease_expires_at: number;
  /** The server's own limit: execution timeout and grace. */
  deadline_at: number;
  /** The lease ran out and the job went back to the queue; the instance may resume until someone else gets it. */
  lost_at: number | null;
  /** Event seq of the cancel directive; 0: none. */
  cancel_seq: number;
  client_version: string;
  result: string | null;
  outputs: string | null;
  sensitive_outputs: string;
  steps: string;
  /** 1: the runner itself reported the end; 0: it runs, or the server ended it. */
  reported: number;
  cleanup_at: number | null;
  cleanup_error: string | null;
  /** JSON array: UUIDs of the GPUs that the lease grants. */
  gpus: string;
  created_at: number;
  updated_at: number;
  started_at: number | null;
  finished_at: number | null;
}

/** Owned by the operator side (change logic); the row ends in the same transaction as its job. */
export interface ChangesTable {
  id: string;
  name: string;
  type: string;
  operation: string;
  status: string;
  reason: string;
  approval: "auto" | "required";
  approval_state: string | null;
  approval_by: string;
  approval_why: string;
  approval_at: number | null;
  expires_at: number | null;
  plan_job_id: string | null;
  apply_job_id: string | null;
  workspace_id: string | null;
  diff: string | null;
  /** JSON the change logic needs to make the apply job. */
  spec: string;
  created_by: string;
  created_at: number;
  updated_at: number;
  finished_at: number | null;
}

export interface EventsTable {
  seq: Generated<number>;
  at: number;
  what: string;
  by: string;
  why: string;
  job_id: string | null;
  change_id: string | null;
  runner_id: string | null;
  execution_id: string | null;
  epoch: number | null;
}

export interface WorkspacesTable {
  id: string;
  name: string;
  created_at: number;
  /** null: no state, or deleted. */
  state_id: string | null;
}

export interface StatesTable {
  id: string;
  workspace_id: string;
  serial: number;
  lineage: string;
  created_at: number;
  job_id: string | null;
  execution_id: string | null;
  bytes: number;
  sha256: string;
  body: Uint8Array;
  /** `runner:<id>` or the operator. */
  made_by: string;
  /** A person's reason, when a person made it. */
  why: string;
  /** Serial of the version whose content this one has again. */
  restored_from: number | null;
}

/** A plan job that looks for drift, and what it found. */
export interface DriftChecksTable {
  job_id: string;
  workspace_id: string;
  /** The change whose source and variables it compares with. */
  change_id: string;
  status: "checking" | "none" | "drifted" | "failed";
  summary: string;
  requested_by: string;
  requested_at: number;
  checked_at: number | null;
}

export interface StateJsonTable {
  workspace_id: string;
  job_id: string | null;
  json: string;
  updated_at: number;
}

export interface LocksTable {
  workspace_id: string;
  lock_id: string;
  /** The document as Terraform sent it. */
  document: string;
  runner_id: string | null;
  job_id: string | null;
  execution_id: string | null;
  locked_at: number;
}

export interface LogStreamsTable {
  id: string;
  job_id: string;
  execution_id: string | null;
  /** Position in the runner's output file up to which batches are stored (opaque). */
  stored: number;
  /** Valid bytes of the stream's own file. */
  bytes: number;
  records: number;
  created_at: number;
  updated_at: number;
}

export interface SettingsTable {
  key: string;
  value: string;
}

/** The trail of the operator API; each line holds the hash of the one before it. */
export interface AuditTable {
  seq: number;
  line: string;
}

/** Tokens that were rotated away. They open nothing, but the holder of a lock may still save under one. */
export interface FormerTokensTable {
  token_hash: string;
  runner_id: string;
  ended_at: number;
}

/** Whom a runner's token may be given to without a person: protocol/runner-identity.ts. */
export interface RunnerIdentitiesTable {
  id: string;
  runner_id: string;
  /** As an operator wrote it, such as `aws:arn:aws:iam::123456789012:role/runner`. */
  identity: string;
  created_by: string;
  created_at: number;
}

/** A token that was given for the proof of an identity. */
export interface RunnerTokensTable {
  /** SHA-256, hex. */
  token_hash: string;
  runner_id: string;
  identity_id: string;
  /** Who showed the proof, in the words of the cloud. */
  subject: string;
  address: string;
  /** SHA-256 of a proof that counts once; null: it may be shown again while it is valid. */
  proof_hash: string | null;
  issued_at: number;
  /** null: it was never used. */
  used_at: number | null;
  /** It opens nothing from then on, whether it is used or not; null: not decided. */
  ends_at: number | null;
}

/** A packed source: an OCI manifest and the blobs it names (owned by sources/). */
export interface SourcesTable {
  digest: string;
  manifest: string;
  media_type: string;
  created_at: number;
  used_at: number;
}

export interface SourceBlobsTable {
  digest: string;
  bytes: number;
  created_at: number;
}
