import { type Context, Hono } from "hono";
import type { CompositePlan } from "../../protocol/nuon/other-plans.ts";
import type { KnownRunner } from "../store/runner-registry.ts";
import type { JobRow } from "../store/statements.ts";
import type { Store } from "../store/store.ts";
import { runnerAt, runnerOf } from "./auth.ts";
import { publicUrlOf, type RunnerApiDeps } from "./runner-deps.ts";
import { NO_JOB, noRecord, notFound } from "./runner-errors.ts";
import { openExecution, reachJob } from "./runner-reach.ts";
import { credentialsOf } from "./runner-wire.ts";

const JSON_TYPE = { "content-type": "application/json; charset=utf-8" };
const TEXT_TYPE = { "content-type": "text/plain; charset=utf-8" };

/** Baseline: the plan of a job, as its text and as the composite document (nuon-runner-api.md 2.6, 2.17). */
export function planRoutes(deps: RunnerApiDeps): Hono {
  const app = new Hono();
  const { store } = deps;

  /** The plan of a job in reach; the answer that there is none. */
  const answer = (c: Context, runner: KnownRunner, jobId: string, show: (job: JobRow, text: string) => Response) => {
    const job = reachJob(store, runner, jobId);
    if (!job) return notFound(c, NO_JOB);
    const text = planText(deps, c, runner, job);
    return text === null ? notFound(c, "runner job: unable to get job plan") : show(job, text);
  };
  const asText = (c: Context, runner: KnownRunner, jobId: string) =>
    answer(c, runner, jobId, (_, text) => c.body(text, 200, TEXT_TYPE));

  app.get("/v1/runner-jobs/:job_id/plan", (c) => {
    const runner = runnerOf(store, c);
    return runner.ok ? asText(c, runner.value, c.req.param("job_id")) : runner.error;
  });

  app.get("/v1/runners/:runner_id/jobs/:job_id/plan", (c) => {
    const runner = runnerAt(store, c, NO_JOB);
    return runner.ok ? asText(c, runner.value, c.req.param("job_id")) : runner.error;
  });

  app.get("/v1/runner-jobs/:job_id/composite-plan", (c) => {
    const runner = runnerOf(store, c);
    if (!runner.ok) return runner.error;
    return answer(c, runner.value, c.req.param("job_id"), (job, text) => {
      const family = familyOf(job);
      return c.body(family === null ? "{}" : `{${JSON.stringify(family)}:${text}}`, 200, JSON_TYPE);
    });
  });

  app.get("/v1/installs/:install_id/:component_id/last-active-plan", (c) => {
    const runner = runnerOf(store, c);
    if (!runner.ok) return runner.error;
    const { install_id: install, component_id: component } = c.req.param();
    const deploys = deploysOf(store, runner.value, install, component);
    if (deploys.length === 0) {
      return noRecord(c, `unable to get install ${install}: unable to get install component:`);
    }
    const active = deploys.filter((job) => job.status === "finished" && APPLIED.has(job.operation));
    // The newest deploy is the active one; the one before it is what a person would go back to.
    const former = active[1];
    const text = former ? planText(deps, c, runner.value, former) : null;
    return c.json({ ComponentDeployRunnerPlan: text });
  });

  return app;
}

/** The plan's text with what only its runner may see filled in: nothing of it once the execution has ended. */
function planText(deps: RunnerApiDeps, c: Context, runner: KnownRunner, job: JobRow): string | null {
  const { store } = deps;
  const plan = store.sql.plan.get(job.id);
  if (!plan) return null;
  const execution = openExecution(store, runner, job.id);
  const credentials = execution ? credentialsOf(store, execution) : { username: "", password: "" };
  return deps.renderPlan(plan.text, { credentials, publicUrl: publicUrlOf(deps, c) });
}

const APPLIED = new Set(["apply-plan", "exec"]);
/** Deploys of a runner that are looked at, newest first. */
const DEPLOYS_LOOKED_AT = 200;

/**
 * Deploy jobs of one component of an install that this runner worked on, newest first. Each job file makes a component of
 * its own, so deploys into the workspace of that component belong to it too.
 */
function deploysOf(store: Store, runner: KnownRunner, install: string, component: string): JobRow[] {
  const find = (condition: string, ...values: readonly string[]) =>
    store.db
      .prepare<JobRow, (string | number)[]>(
        `SELECT j.* FROM jobs j WHERE j.job_group = 'deploy' AND ${condition}
         AND EXISTS (SELECT 1 FROM executions e WHERE e.job_id = j.id AND e.runner_id = ?)
         ORDER BY j.created_at DESC, j.rowid DESC LIMIT ?`,
      )
      .all(...values, runner.row.id, DEPLOYS_LOOKED_AT);
  const named = "json_extract(j.metadata, '$.install_id') = ? AND json_extract(j.metadata, '$.component_id') = ?";
  const own = find(named, install, component);
  const workspace = own[0]?.workspace_id ?? null;
  return workspace === null ? own : find("j.workspace_id = ?", workspace);
}

/** The name a composite plan gives the plan of a job; null for types that only we have. */
function familyOf(job: JobRow): keyof CompositePlan | null {
  if (job.type === "sandbox-sync-secrets") return "sync_secrets_plan";
  switch (job.job_group) {
    case "build":
      return "build_plan";
    case "sync":
      return "sync_oci_plan";
    case "deploy":
      return "deploy_plan";
    case "sandbox":
      return "sandbox_run_plan";
    case "actions":
      return "action_workflow_run_plan";
    default:
      return null;
  }
}
