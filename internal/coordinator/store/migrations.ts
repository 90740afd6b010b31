/**
 * Static list, applied in order, each in one transaction; `PRAGMA user_version` counts what was applied.
 * A released entry is never changed: a new one is added.
 */
export const MIGRATIONS: readonly string[] = [
  `
CREATE TABLE runners (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, token_hash TEXT NOT NULL, labels TEXT NOT NULL DEFAULT '{}',
  draining INTEGER NOT NULL DEFAULT 0, drain_seq INTEGER NOT NULL DEFAULT 0, settings_seq INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL, deleted_at INTEGER
) WITHOUT ROWID;
CREATE UNIQUE INDEX runners_name ON runners (name) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX runners_token ON runners (token_hash);

CREATE TABLE sessions (
  runner_id TEXT PRIMARY KEY, id TEXT NOT NULL, instance_id TEXT NOT NULL, dialect TEXT NOT NULL, mode TEXT NOT NULL,
  version TEXT NOT NULL, inventory TEXT, slots TEXT NOT NULL, job_types TEXT NOT NULL,
  started_at INTEGER NOT NULL, last_contact_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE jobs (
  id TEXT PRIMARY KEY, change_id TEXT, name TEXT NOT NULL, type TEXT NOT NULL, job_group TEXT NOT NULL,
  operation TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '', runner_id TEXT,
  owner_id TEXT NOT NULL, owner_type TEXT NOT NULL, metadata TEXT NOT NULL, requires TEXT NOT NULL,
  options TEXT NOT NULL, workspace_id TEXT, log_stream_id TEXT NOT NULL,
  queue_timeout_ms INTEGER NOT NULL, available_timeout_ms INTEGER NOT NULL, execution_timeout_ms INTEGER NOT NULL,
  max_executions INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, lease_losses INTEGER NOT NULL DEFAULT 0,
  epoch INTEGER NOT NULL DEFAULT 0, parked INTEGER NOT NULL DEFAULT 0,
  cancel_at INTEGER, cancel_reason TEXT NOT NULL DEFAULT '', cancel_by TEXT NOT NULL DEFAULT '',
  final_execution_id TEXT, created_by TEXT NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  queued_at INTEGER NOT NULL, started_at INTEGER, finished_at INTEGER
);
CREATE INDEX jobs_waiting ON jobs (job_group) WHERE status IN ('queued', 'available') AND parked = 0;
CREATE INDEX jobs_change ON jobs (change_id) WHERE change_id IS NOT NULL;
CREATE INDEX jobs_created ON jobs (created_at);

CREATE TABLE plans (job_id TEXT PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE documents (
  job_id TEXT NOT NULL, kind TEXT NOT NULL, json TEXT NOT NULL, PRIMARY KEY (job_id, kind)
);
CREATE TABLE document_ids (
  id TEXT PRIMARY KEY, job_id TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;

CREATE TABLE executions (
  id TEXT PRIMARY KEY, job_id TEXT NOT NULL, runner_id TEXT NOT NULL, instance_id TEXT NOT NULL,
  dialect TEXT NOT NULL, epoch INTEGER NOT NULL, status TEXT NOT NULL, phase TEXT NOT NULL DEFAULT '',
  reason TEXT NOT NULL DEFAULT '', code TEXT NOT NULL DEFAULT '', claim_key TEXT NOT NULL,
  log_stream_id TEXT NOT NULL, lease_expires_at INTEGER NOT NULL, deadline_at INTEGER NOT NULL, lost_at INTEGER,
  cancel_seq INTEGER NOT NULL DEFAULT 0, client_version TEXT NOT NULL DEFAULT '',
  result TEXT, outputs TEXT, sensitive_outputs TEXT NOT NULL DEFAULT '[]', steps TEXT NOT NULL DEFAULT '[]',
  reported INTEGER NOT NULL DEFAULT 0, cleanup_at INTEGER, cleanup_error TEXT, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  started_at INTEGER, finished_at INTEGER
);
CREATE INDEX executions_job ON executions (job_id);
CREATE INDEX executions_open ON executions (runner_id) WHERE finished_at IS NULL;

CREATE TABLE changes (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL, operation TEXT NOT NULL, status TEXT NOT NULL,
  reason TEXT NOT NULL DEFAULT '', approval TEXT NOT NULL, approval_state TEXT, approval_by TEXT NOT NULL DEFAULT '',
  approval_why TEXT NOT NULL DEFAULT '', approval_at INTEGER, expires_at INTEGER, plan_job_id TEXT, apply_job_id TEXT,
  workspace_id TEXT, diff TEXT, spec TEXT NOT NULL, created_by TEXT NOT NULL, created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL, finished_at INTEGER
);
CREATE INDEX changes_created ON changes (created_at);

CREATE TABLE events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, what TEXT NOT NULL, by TEXT NOT NULL,
  why TEXT NOT NULL DEFAULT '', job_id TEXT, change_id TEXT, runner_id TEXT, execution_id TEXT, epoch INTEGER
);
CREATE INDEX events_job ON events (job_id) WHERE job_id IS NOT NULL;
CREATE INDEX events_change ON events (change_id) WHERE change_id IS NOT NULL;
CREATE TRIGGER events_keep BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_stay BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;

CREATE TABLE workspaces (
  id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created_at INTEGER NOT NULL, state_id TEXT
) WITHOUT ROWID;
CREATE TABLE states (
  id TEXT PRIMARY KEY, workspace_id TEXT NOT NULL, serial INTEGER NOT NULL, lineage TEXT NOT NULL,
  created_at INTEGER NOT NULL, job_id TEXT, execution_id TEXT, bytes INTEGER NOT NULL, sha256 TEXT NOT NULL,
  body BLOB NOT NULL
);
CREATE INDEX states_workspace ON states (workspace_id);
CREATE TABLE state_json (
  workspace_id TEXT PRIMARY KEY, job_id TEXT, json TEXT NOT NULL, updated_at INTEGER NOT NULL
);
CREATE TABLE locks (
  workspace_id TEXT PRIMARY KEY, lock_id TEXT NOT NULL, document TEXT NOT NULL, runner_id TEXT, job_id TEXT,
  execution_id TEXT, locked_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE log_streams (
  id TEXT PRIMARY KEY, job_id TEXT NOT NULL, execution_id TEXT, stored INTEGER NOT NULL DEFAULT 0,
  bytes INTEGER NOT NULL DEFAULT 0, records INTEGER NOT NULL DEFAULT 0, created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX log_streams_job ON log_streams (job_id);

CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE sources (
  digest TEXT PRIMARY KEY, manifest TEXT NOT NULL, media_type TEXT NOT NULL, created_at INTEGER NOT NULL,
  used_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE source_blobs (digest TEXT PRIMARY KEY, bytes INTEGER NOT NULL, created_at INTEGER NOT NULL) WITHOUT ROWID;
`,
  `
CREATE TABLE former_tokens (
  token_hash TEXT PRIMARY KEY, runner_id TEXT NOT NULL, ended_at INTEGER NOT NULL
) WITHOUT ROWID;
`,
  // Audit trail of the operator API (lines build on one another), and events that retention may take.
  `
CREATE TABLE audit (seq INTEGER PRIMARY KEY, line TEXT NOT NULL);
CREATE TRIGGER audit_keep BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
CREATE TRIGGER audit_stay BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
DROP TRIGGER events_stay;
CREATE TRIGGER events_stay BEFORE DELETE ON events
WHEN OLD.at >= coalesce((SELECT CAST(value AS INTEGER) FROM settings WHERE key = 'events-kept-from'), 0)
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX changes_finished ON changes (finished_at) WHERE finished_at IS NOT NULL;
`,
  // What runners keep with us and tell of themselves: Helm releases, workspaces they made, health checks, metrics, spans.
  `
CREATE TABLE helm_charts (
  chart_id TEXT NOT NULL, job_id TEXT NOT NULL, PRIMARY KEY (chart_id, job_id)
) WITHOUT ROWID;
CREATE TABLE helm_releases (
  chart_id TEXT NOT NULL, namespace TEXT NOT NULL, key TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL,
  status TEXT NOT NULL, owner TEXT NOT NULL, labels TEXT NOT NULL, body BLOB NOT NULL, created_by TEXT NOT NULL,
  created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, PRIMARY KEY (chart_id, namespace, key)
);
CREATE TABLE workspace_owners (
  workspace_id TEXT PRIMARY KEY, runner_id TEXT NOT NULL, owner_type TEXT NOT NULL, owner_id TEXT NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX workspace_owners_owner ON workspace_owners (runner_id, owner_type, owner_id);
CREATE TABLE runner_health_checks (
  id TEXT PRIMARY KEY, runner_id TEXT NOT NULL, process TEXT NOT NULL, status TEXT NOT NULL, created_at INTEGER NOT NULL
);
CREATE INDEX runner_health_checks_runner ON runner_health_checks (runner_id, created_at);
CREATE TABLE runner_metrics (
  runner_id TEXT NOT NULL, name TEXT NOT NULL, labels TEXT NOT NULL, kind TEXT NOT NULL, value REAL NOT NULL,
  updated_at INTEGER NOT NULL, PRIMARY KEY (runner_id, name, labels)
) WITHOUT ROWID;
CREATE TABLE runner_spans (
  seq INTEGER PRIMARY KEY, runner_id TEXT NOT NULL, job_id TEXT, trace_id TEXT NOT NULL, span_id TEXT NOT NULL,
  json TEXT NOT NULL, created_at INTEGER NOT NULL
);
CREATE INDEX runner_spans_runner ON runner_spans (runner_id);
CREATE INDEX runner_spans_job ON runner_spans (job_id) WHERE job_id IS NOT NULL;
`,
  // Versions of the state: who made them and why, what was restored. Checks for drift.
  `
ALTER TABLE states ADD COLUMN made_by TEXT NOT NULL DEFAULT '';
ALTER TABLE states ADD COLUMN why TEXT NOT NULL DEFAULT '';
ALTER TABLE states ADD COLUMN restored_from INTEGER;
CREATE TABLE drift_checks (
  job_id TEXT PRIMARY KEY, workspace_id TEXT NOT NULL, change_id TEXT NOT NULL, status TEXT NOT NULL,
  summary TEXT NOT NULL DEFAULT '', requested_by TEXT NOT NULL, requested_at INTEGER NOT NULL, checked_at INTEGER
);
CREATE INDEX drift_checks_workspace ON drift_checks (workspace_id);
CREATE INDEX changes_workspace ON changes (workspace_id) WHERE workspace_id IS NOT NULL;
`,
  // GPUs that an execution's lease grants: a JSON array of UUIDs.
  `
ALTER TABLE executions ADD COLUMN gpus TEXT NOT NULL DEFAULT '[]';
`,
  // Cloud identities that a runner's token may be got by, and the tokens that were given for one.
  `
CREATE TABLE runner_identities (
  id TEXT PRIMARY KEY, runner_id TEXT NOT NULL, identity TEXT NOT NULL, created_by TEXT NOT NULL,
  created_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX runner_identities_runner ON runner_identities (runner_id, identity);
CREATE TABLE runner_tokens (
  token_hash TEXT PRIMARY KEY, runner_id TEXT NOT NULL, identity_id TEXT NOT NULL, subject TEXT NOT NULL,
  address TEXT NOT NULL, proof_hash TEXT, issued_at INTEGER NOT NULL, used_at INTEGER, ends_at INTEGER
) WITHOUT ROWID;
CREATE INDEX runner_tokens_runner ON runner_tokens (runner_id);
CREATE UNIQUE INDEX runner_tokens_proof ON runner_tokens (proof_hash) WHERE proof_hash IS NOT NULL;
`,
];
