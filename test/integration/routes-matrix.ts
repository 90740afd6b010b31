import type { Role } from "../lib/route-roles.ts";

/**
 * Who may call what. `in`: gets past the door; `unknown`: 404, as if what the path names did not exist; anyone else 401.
 * A new route needs a row here: choose the narrowest rule that fits.
 */
type Entry = "in" | "unknown";
type Rule = "public" | "admin" | "any runner" | "its runner" | "state of its workspace" | "sources of its job";

export const PASSES: Readonly<Record<Rule, Partial<Record<Role, Entry>>>> = {
  public: {
    nobody: "in",
    "wrong key": "in",
    admin: "in",
    owner: "in",
    "owner by ?token=": "in",
    "other runner": "in",
    "owner's execution": "in",
    "other's execution": "in",
    "owner's token as a password": "in",
    "former token": "in",
    "deleted runner": "in",
    "admin key by ?token=": "in",
  },
  admin: { admin: "in" },
  "any runner": { owner: "in", "owner by ?token=": "in", "other runner": "in" },
  "its runner": { owner: "in", "owner by ?token=": "in", "other runner": "unknown" },
  "state of its workspace": {
    owner: "in",
    "owner by ?token=": "in",
    "owner's execution": "in",
    "other runner": "unknown",
    "other's execution": "unknown",
  },
  "sources of its job": { "owner's execution": "in", "other's execution": "unknown" },
};

export interface Row {
  /** `METHOD /path` as the app names it. */
  readonly route: string;
  readonly rule: Rule;
  /** Where it differs from the route's own path. */
  readonly path?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** What it names is not there: 404 behind the door. */
  readonly absent?: boolean;
  /** Answers without end. */
  readonly stream?: boolean;
}

/** What operator routes are pointed at: nothing that another row needs. */
export const TARGETS: Readonly<Record<string, string>> = {
  id: "job-of-nobody",
  name: "owned",
  serial: "7",
  digest: `sha256:${"0".repeat(64)}`,
};

const RUNNER = "its runner";
const STATE = "state of its workspace";
const JOB = "/v1/runner-jobs/:job_id";
const RELEASES = "/v1/helm-releases/:helm_chart_id/releases/:namespace";
const WORKSPACE = { workspace_id: ":workspace_id" };

export const MATRIX: readonly Row[] = [
  { route: "GET /livez", rule: "public" },
  { route: "GET /readyz", rule: "public" },
  { route: "GET /v1/capabilities", rule: "public" },
  { route: "GET /api/v1/openapi.json", rule: "public" },
  // Its door is the proof in the body; without one that is good it gives nothing.
  { route: "POST /v1/runners/:runner_id/token-exchange", rule: "public" },

  { route: "ALL /metrics/*", rule: "admin", absent: true },
  { route: "GET /metrics", rule: "admin" },
  { route: "ALL /api/v1/*", rule: "admin", absent: true },
  { route: "GET /api/v1/audit", rule: "admin" },
  { route: "GET /api/v1/events", rule: "admin" },
  { route: "GET /api/v1/events/stream", rule: "admin", stream: true },
  { route: "GET /api/v1/jobs", rule: "admin" },
  { route: "GET /api/v1/jwks", rule: "admin" },
  { route: "GET /api/v1/jobs/counts", rule: "admin" },
  { route: "GET /api/v1/jobs/:id", rule: "admin", absent: true },
  { route: "GET /api/v1/jobs/:id/logs", rule: "admin", absent: true },
  { route: "GET /api/v1/jobs/:id/logs/lines", rule: "admin", absent: true },
  { route: "GET /api/v1/jobs/:id/logs/search", rule: "admin", absent: true, query: { q: "x" } },
  { route: "GET /api/v1/jobs/:id/plan", rule: "admin", absent: true },
  { route: "GET /api/v1/jobs/:id/logs/stream", rule: "admin", absent: true, stream: true },
  { route: "GET /api/v1/runners", rule: "admin" },
  { route: "GET /api/v1/runners/:id", rule: "admin", absent: true },
  { route: "GET /api/v1/runners/:id/identities", rule: "admin", absent: true },
  { route: "POST /api/v1/runners/:id/identities", rule: "admin" },
  { route: "DELETE /api/v1/runners/:id/identities/:identity_id", rule: "admin", absent: true },
  { route: "GET /api/v1/runners/:id/reported", rule: "admin", absent: true },
  { route: "GET /api/v1/jobs/:id/spans", rule: "admin", absent: true },
  { route: "GET /api/v1/runners/:id/settings", rule: "admin", absent: true },
  { route: "PATCH /api/v1/runners/:id/settings", rule: "admin" },
  { route: "GET /api/v1/settings", rule: "admin" },
  { route: "PATCH /api/v1/settings", rule: "admin" },
  { route: "GET /api/v1/sources/:digest", rule: "admin", absent: true },
  { route: "GET /api/v1/workspaces", rule: "admin" },
  { route: "GET /api/v1/workspaces/:name", rule: "admin" },
  { route: "GET /api/v1/workspaces/:name/state-json", rule: "admin", absent: true },
  { route: "GET /api/v1/workspaces/:name/states", rule: "admin" },
  { route: "GET /api/v1/workspaces/:name/states/:serial", rule: "admin", absent: true },
  {
    route: "GET /api/v1/workspaces/:name/states/:serial/diff",
    rule: "admin",
    absent: true,
    query: { from: "1" },
  },
  { route: "POST /api/v1/workspaces/:name/drift", rule: "admin" },
  { route: "POST /api/v1/workspaces/:name/restore", rule: "admin" },
  { route: "POST /api/v1/jobs", rule: "admin" },
  { route: "POST /api/v1/jobs/:id/approve", rule: "admin", absent: true },
  { route: "POST /api/v1/jobs/:id/cancel", rule: "admin", absent: true },
  { route: "POST /api/v1/jobs/:id/reject", rule: "admin", absent: true },
  { route: "POST /api/v1/jobs/:id/retry", rule: "admin", absent: true },
  { route: "POST /api/v1/runners", rule: "admin" },
  { route: "POST /api/v1/runners/:id/drain", rule: "admin", absent: true },
  { route: "POST /api/v1/runners/:id/rotate", rule: "admin", absent: true },
  { route: "DELETE /api/v1/runners/:id", rule: "admin", absent: true },
  { route: "POST /api/v1/workspaces/:name/unlock", rule: "admin" },
  { route: "PUT /api/v1/sources/:digest", rule: "admin" },
  { route: "PUT /api/v1/sources/blobs/:digest", rule: "admin" },

  { route: "GET /v1/runners/:runner_id", rule: RUNNER },
  { route: "GET /v1/runners/:runner_id/jobs", rule: RUNNER },
  { route: "GET /v1/runners/:runner_id/settings", rule: RUNNER },
  { route: "POST /v1/runners/:runner_id/claims", rule: RUNNER },
  { route: "POST /v1/runners/:runner_id/completions", rule: RUNNER },
  { route: "POST /v1/runners/:runner_id/events", rule: RUNNER },
  { route: "POST /v1/runners/:runner_id/heart-beats", rule: RUNNER },
  { route: "POST /v1/runners/:runner_id/renewals", rule: RUNNER },
  { route: "POST /v1/runners/:runner_id/sessions", rule: RUNNER },
  { route: `GET ${JOB}`, rule: RUNNER },
  { route: `GET ${JOB}/executions`, rule: RUNNER },
  { route: `GET ${JOB}/executions/:execution_id`, rule: RUNNER },
  { route: `GET ${JOB}/plan`, rule: RUNNER },
  { route: `PATCH ${JOB}`, rule: RUNNER },
  { route: `PATCH ${JOB}/executions/:execution_id`, rule: RUNNER },
  // A Go runner's reservation, while an instance of ours holds the runner.
  { route: `POST ${JOB}/executions`, rule: RUNNER, absent: true },
  { route: `POST ${JOB}/executions/:execution_id/outputs`, rule: RUNNER },
  { route: `POST ${JOB}/executions/:execution_id/result`, rule: RUNNER },
  { route: "POST /v1/log-streams/:stream_id/logs", rule: RUNNER },
  { route: "GET /v1/action-workflows/configs/:config_id", rule: RUNNER },
  { route: "GET /v1/apps/:app_id/config/:app_config_id", rule: RUNNER },
  { route: "GET /v1/installs/:install_id/action-workflows/runs/:run_id", rule: RUNNER },
  {
    route: "PUT /v1/installs/:install_id/action-workflow-runs/:workflow_run_id/steps/:step_id",
    rule: RUNNER,
  },
  { route: "GET /v1/terraform-workspaces/:workspace_id", rule: RUNNER },
  { route: "PATCH /v1/runners/:runner_id", rule: RUNNER },
  { route: "GET /v1/runners/:runner_id/jobs/:job_id", rule: RUNNER },
  { route: "GET /v1/runners/:runner_id/jobs/:job_id/plan", rule: RUNNER },
  { route: `GET ${JOB}/composite-plan`, rule: RUNNER },
  { route: "POST /v1/runners/:runner_id/health-checks", rule: RUNNER },
  { route: "POST /v1/runners/:runner_id/metrics", rule: RUNNER },
  { route: "POST /v1/runners/:runner_id/traces", rule: RUNNER },
  { route: "GET /v1/action-workflows/:workflow_id/latest-config", rule: RUNNER, absent: true },
  { route: "GET /v1/installs/:install_id/:component_id/last-active-plan", rule: RUNNER, absent: true },
  { route: "DELETE /v1/terraform-workspaces/:workspace_id", rule: RUNNER },
  { route: "DELETE /v1/terraform-workspaces/:workspace_id/states", rule: RUNNER },
  { route: "GET /v1/terraform-workspaces", rule: "any runner" },
  { route: "POST /v1/terraform-workspaces", rule: "any runner" },
  { route: "POST /v1/general/metrics", rule: "any runner", body: [] },

  { route: "GET /v1/terraform-backend", rule: STATE, query: WORKSPACE },
  { route: "POST /v1/terraform-backend", rule: STATE, query: WORKSPACE },
  { route: "DELETE /v1/terraform-backend", rule: STATE, query: WORKSPACE },
  { route: "POST /v1/terraform-workspaces/:workspace_id/lock", rule: STATE },
  { route: "POST /v1/terraform-workspaces/:workspace_id/state-json", rule: STATE },
  { route: "POST /v1/terraform-workspaces/:workspace_id/unlock", rule: STATE },

  { route: `GET ${RELEASES}`, rule: STATE, absent: true },
  { route: `GET ${RELEASES}/query`, rule: STATE, absent: true },
  { route: `GET ${RELEASES}/:key`, rule: STATE, absent: true },
  { route: `POST ${RELEASES}/:key`, rule: STATE, absent: true },
  { route: `PUT ${RELEASES}/:key`, rule: STATE, absent: true },
  { route: `DELETE ${RELEASES}/:key`, rule: STATE, absent: true },

  { route: "ALL /v2/*", rule: "sources of its job", absent: true },
  { route: "GET /v2/sources/:repository/blobs/:digest", rule: "sources of its job" },
  { route: "HEAD /v2/sources/:repository/blobs/:digest", rule: "sources of its job" },
  { route: "GET /v2/sources/:repository/manifests/:reference", rule: "sources of its job" },
  { route: "HEAD /v2/sources/:repository/manifests/:reference", rule: "sources of its job" },
];
