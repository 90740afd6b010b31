import { z } from "zod";
import { changeStatus, jobStatus } from "./enums.ts";
import { inventory, stepReport } from "./native.ts";

/**
 * Operator API under /api/v1 (bearer: admin key). Unknown keys are refused. Errors are problemBody.
 *
 * | route | |
 * |---|---|
 * | POST /runners · GET /runners · GET/DELETE /runners/{id} · POST /runners/{id}/rotate · POST /runners/{id}/drain | |
 * | GET/POST /runners/{id}/identities · DELETE /runners/{id}/identities/{identity_id} | |
 * | POST /jobs · GET /jobs · GET /jobs/counts · GET /jobs/{id} · GET /jobs/{id}/plan · POST /jobs/{id}/cancel · /retry · /approve · /reject | id of a job or of a change |
 * | GET /jobs/{id}/logs (NDJSON logLine, or ?format=text) · GET /jobs/{id}/logs/search · GET /jobs/{id}/logs/lines · GET /jobs/{id}/logs/stream (SSE, id = offset, data = logLine) | |
 * | GET /events?after= · GET /events/stream (SSE, id = seq, data = eventDoc; Last-Event-ID resumes) | |
 * | GET /workspaces · GET /workspaces/{name} · POST /workspaces/{name}/unlock · GET /workspaces/{name}/states[/{serial}] · /state-json | |
 * | GET /workspaces/{name}/states/{serial}/diff?from= · POST /workspaces/{name}/restore · POST /workspaces/{name}/drift → submitted | |
 * | GET /sources/{digest} · PUT /sources/blobs/{digest} · PUT /sources/{digest} | digest = sha256:… of the manifest |
 * | GET /openapi.json (no key) | |
 */

export const problemBody = z.looseObject({ error: z.string(), kind: z.string(), remedy: z.string().nullish() });

export const runnerCreate = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, "letters, digits, dot, dash and underscore"),
  labels: z.record(z.string(), z.string()).optional(),
  /** Who may get a token of it by a proof of identity; protocol/runner-identity.ts. */
  identity: z.string().optional(),
});
export const runnerCreated = z.strictObject({ id: z.string(), token: z.string() });

export const runnerDoc = z.strictObject({
  id: z.string(),
  name: z.string(),
  labels: z.record(z.string(), z.string()),
  created_at: z.string(),
  /** online | suspect | offline | never */
  contact: z.enum(["online", "suspect", "offline", "never"]),
  last_contact_at: z.string().nullable(),
  draining: z.boolean(),
  /** The version that the settings ask for; null: none in particular. */
  expected_version: z.string().nullable(),
  session: z
    .strictObject({
      instance_id: z.string(),
      dialect: z.enum(["native", "nuon"]),
      mode: z.string(),
      version: z.string(),
      started_at: z.string(),
      inventory: inventory.nullable(),
      slots: z.record(z.string(), z.number()),
      busy: z.number(),
      /** UUIDs of its GPUs that running jobs hold. */
      gpus_in_use: z.array(z.string()),
    })
    .nullable(),
});
export type RunnerDoc = z.infer<typeof runnerDoc>;

export const identityCreate = z.strictObject({ identity: z.string() });
/** A cloud identity that gets a token of a runner. */
export const identityDoc = z.strictObject({
  id: z.string(),
  identity: z.string(),
  created_at: z.string(),
  created_by: z.string(),
  /** Tokens that open something now. */
  tokens: z.number().int(),
  /** The newest token; null: it got none. */
  last: z
    .strictObject({ at: z.string(), subject: z.string(), address: z.string(), used_at: z.string().nullable() })
    .nullable(),
});
export type IdentityDoc = z.infer<typeof identityDoc>;

/** One line of the coordinator's audit trail. */
export const auditDoc = z.strictObject({
  seq: z.number().int(),
  /** Exactly as it is chained: check it by this text. */
  line: z.string(),
});
export type AuditDoc = z.infer<typeof auditDoc>;

/** GET /jwks: the public keys that work is signed with, for a runner's --trust-keys (RFC 7517). */
export const jwksDoc = z.strictObject({
  keys: z.array(
    z.strictObject({
      kty: z.literal("OKP"),
      crv: z.literal("Ed25519"),
      x: z.string(),
      kid: z.string(),
      use: z.literal("sig"),
      alg: z.literal("EdDSA"),
    }),
  ),
});

export const submission = z.strictObject({
  /** The job file after the submitter resolved secrets; validated again here. */
  job: z.record(z.string(), z.unknown()),
  /** Packed folders by the place of their source in the file, e.g. `spec.source`, `spec.steps.0.source`. */
  sources: z.record(z.string(), z.strictObject({ digest: z.string(), path: z.string() })).optional(),
  /** Contents of spec.vars_files or spec.values_files, same order. */
  vars_files: z.array(z.string()).optional(),
  /** Names of env or vars entries that came from secret references. */
  sensitive: z.array(z.string()).optional(),
  /** Only this runner may take it. */
  runner: z.string().optional(),
});
export type Submission = z.infer<typeof submission>;
export const submitted = z.strictObject({ job: z.string() });

export const eventDoc = z.strictObject({
  seq: z.number().int(),
  at: z.string(),
  what: z.string(),
  by: z.string(),
  why: z.string(),
  job_id: z.string().nullable(),
  change_id: z.string().nullable(),
  runner_id: z.string().nullable(),
  execution_id: z.string().nullable(),
  epoch: z.number().int().nullable(),
});
export type EventDoc = z.infer<typeof eventDoc>;

export const executionDoc = z.strictObject({
  id: z.string(),
  job_id: z.string(),
  status: z.string(),
  reason: z.string(),
  /** Machine word beside the reason, such as `policy`; empty when there is none. */
  code: z.string(),
  epoch: z.number().int(),
  runner_id: z.string(),
  phase: z.string(),
  created_at: z.string(),
  started_at: z.string().nullable(),
  finished_at: z.string().nullable(),
  steps: z.array(stepReport),
  result: z.looseObject({}).nullable(),
});

export const jobDoc = z.strictObject({
  id: z.string(),
  kind: z.enum(["job", "change"]),
  change_id: z.string().nullable(),
  name: z.string(),
  type: z.string(),
  operation: z.string(),
  group: z.string(),
  status: z.union([jobStatus, changeStatus]),
  /** Reason for waiting, or for the end; empty when there is nothing to say. */
  reason: z.string(),
  /** What a waiting job waits for and what to do about it, in sentences; empty when it does not wait. */
  waiting_for: z.string(),
  runner_id: z.string().nullable(),
  created_at: z.string(),
  started_at: z.string().nullable(),
  finished_at: z.string().nullable(),
  execution_timeout_ms: z.number(),
  /** Sensitive ones are `[redacted]`. */
  outputs: z.record(z.string(), z.unknown()).nullable(),
  workspace: z.string().nullable(),
});
export type JobDoc = z.infer<typeof jobDoc>;

/** Jobs and changes per status under a filter; statuses that nothing has are left out. */
export const workCounts = z.strictObject({ total: z.number().int(), statuses: z.record(z.string(), z.number().int()) });
export type WorkCounts = z.infer<typeof workCounts>;

export const jobShow = jobDoc.extend({
  /** Jobs of a change, oldest first; the job itself otherwise. */
  jobs: z.array(jobDoc),
  executions: z.array(executionDoc),
  events: z.array(eventDoc),
  steps: z.array(stepReport),
  /** Readable diff of the plan, when there is one. */
  diff: z.string().nullable(),
  approval: z
    .strictObject({
      state: z.enum(["awaiting", "approved", "denied", "expired", "automatic"]),
      by: z.string(),
      why: z.string(),
      at: z.string(),
      /** While it waits: when it is too late. */
      expires_at: z.string().nullable(),
    })
    .nullable(),
  /** Log streams in order of their executions. */
  log_streams: z.array(z.string()),
});
export type JobShow = z.infer<typeof jobShow>;

export const logLine = z.strictObject({
  /** Opaque, grows; pass it as `after` to go on behind this line. */
  cursor: z.string(),
  time: z.string(),
  severity: z.string(),
  source: z.string(),
  execution_id: z.string(),
  phase: z.string(),
  step: z.string(),
  /** One or more whole lines without the last newline. */
  text: z.string(),
  partial: z.boolean(),
});
export type LogLine = z.infer<typeof logLine>;

/** One whole line with its number, from 1 over the whole log of a job or change. */
export const numberedLine = logLine.extend({ number: z.number().int() });
export type NumberedLine = z.infer<typeof numberedLine>;

/** Lines that show a text: `count` of them among the first `lines` of the log; `hits` are the first ones. */
export const logSearch = z.strictObject({
  count: z.number().int(),
  lines: z.number().int(),
  hits: z.array(z.strictObject({ line: z.number().int(), time: z.string(), text: z.string() })),
});
export type LogSearch = z.infer<typeof logSearch>;

/** The lock document as Terraform sent it, and what we know about the holder. */
export const lockDoc = z.looseObject({
  ID: z.string(),
  Operation: z.string(),
  Info: z.string(),
  Who: z.string(),
  Version: z.string(),
  Created: z.string(),
  Path: z.string(),
  job_id: z.string().nullable(),
  execution_id: z.string().nullable(),
  runner_id: z.string().nullable(),
  locked_at: z.string(),
});
export type LockDoc = z.infer<typeof lockDoc>;

/** A check for drift: a plan of the last applied source and variables that is never applied. */
export const driftDoc = z.strictObject({
  /** The plan job; its diff is the job's. */
  job: z.string(),
  /** The change it compares with. */
  change: z.string(),
  status: z.enum(["checking", "none", "drifted", "failed"]),
  /** One line for people; empty while it is checked. */
  summary: z.string(),
  requested_by: z.string(),
  requested_at: z.string(),
  checked_at: z.string().nullable(),
});
export type DriftDoc = z.infer<typeof driftDoc>;

export const workspaceDoc = z.strictObject({
  id: z.string(),
  name: z.string(),
  created_at: z.string(),
  serial: z.number().int().nullable(),
  lineage: z.string().nullable(),
  updated_at: z.string().nullable(),
  states: z.number().int(),
  lock: lockDoc.nullable(),
  /** The last check; null: never asked for. */
  drift: driftDoc.nullable(),
});
export type WorkspaceDoc = z.infer<typeof workspaceDoc>;

export const stateDoc = z.strictObject({
  id: z.string(),
  serial: z.number().int(),
  lineage: z.string(),
  created_at: z.string(),
  job_id: z.string().nullable(),
  bytes: z.number().int(),
  sha256: z.string(),
  /** The version that terraform gets now. */
  current: z.boolean(),
  /** `runner:<id>` or `admin`. */
  by: z.string(),
  /** Why a person made it; empty for a runner's. */
  why: z.string(),
  /** Serial of the version that was restored as this one. */
  restored_from: z.number().int().nullable(),
});
export type StateDoc = z.infer<typeof stateDoc>;

const stateSide = z.strictObject({ serial: z.number().int(), lineage: z.string(), created_at: z.string() });
/** `before` is absent on what was added, `after` on what was removed. Sensitive values are `[redacted]`. */
const stateValueChange = z.strictObject({
  action: z.enum(["added", "removed", "changed"]),
  before: z.unknown().optional(),
  after: z.unknown().optional(),
  sensitive: z.boolean(),
});

/** What differs between two versions of a state. */
export const stateDiff = z.strictObject({
  workspace: z.string(),
  from: stateSide,
  to: stateSide,
  summary: z.strictObject({
    added: z.number().int(),
    removed: z.number().int(),
    changed: z.number().int(),
    outputs: z.number().int(),
  }),
  resources: z.array(
    z.strictObject({
      /** With the index and `(deposed KEY)` where there is one. */
      address: z.string(),
      action: z.enum(["added", "removed", "changed"]),
      /** `path`: members joined by dots, such as `tags.env` or `rules.0.port`. */
      attributes: z.array(stateValueChange.extend({ path: z.string() })),
    }),
  ),
  outputs: z.array(stateValueChange.extend({ name: z.string() })),
  /** The same for reading. */
  text: z.string(),
});
export type StateDiff = z.infer<typeof stateDiff>;

/** POST /workspaces/{name}/restore: the content of an old version becomes a new one. Answers its stateDoc. */
export const stateRestore = z.strictObject({
  serial: z.number().int().min(0),
  why: z.string().min(1).max(1_000),
});

/** Exit line of `run-local --json` and `job submit --wait --json`. */
export const runSummary = z.strictObject({
  job: z.string(),
  status: z.string(),
  reason: z.string(),
  outputs: z.record(z.string(), z.unknown()),
  steps: z.array(
    z.strictObject({
      name: z.string(),
      status: z.string(),
      duration_ms: z.number(),
      exit_code: z.number().int().nullable(),
    }),
  ),
  exit_code: z.number().int(),
});
export type RunSummary = z.infer<typeof runSummary>;
