import { Hono } from "hono";
import { stepStatus } from "../../protocol/enums.ts";
import { actionStepUpdate } from "../../protocol/nuon/actions.ts";
import { nsToMs } from "../../protocol/nuon/base.ts";
import type { Store } from "../store/store.ts";
import { setStep } from "../store/transitions/step.ts";
import { runnerOf } from "./auth.ts";
import { readJson } from "./body.ts";
import type { RunnerApiDeps } from "./runner-deps.ts";
import { badRequest, noRecord, notFound } from "./runner-errors.ts";
import { documentOf, openExecution, reachDocument } from "./runner-reach.ts";

/** Baseline: documents of actions and apps (nuon-runner-api.md 2.14, 2.15). Only the last id of a path counts. */
export function documentRoutes(deps: RunnerApiDeps): Hono {
  const app = new Hono();
  const { store } = deps;

  const route = (path: string, param: string, kind: string, what: (id: string) => string) =>
    app.get(path, (c) => {
      const runner = runnerOf(store, c);
      if (!runner.ok) return runner.error;
      const id = c.req.param(param) ?? "";
      const found = reachDocument(store, runner.value, id, kind);
      const json = found ? documentOf(store, found.job.id, kind) : null;
      if (json === null) return notFound(c, what(id));
      return c.body(json, 200, { "content-type": "application/json; charset=utf-8" });
    });
  route(
    "/v1/installs/:install_id/action-workflows/runs/:run_id",
    "run_id",
    "action_run",
    (id) => `install action workflow run by id ${id}: unable to get install action workflow runs`,
  );
  route(
    "/v1/action-workflows/configs/:config_id",
    "config_id",
    "action_config",
    (id) => `action workflow config ${id}: unable to get action workflow config`,
  );
  route("/v1/apps/:app_id/config/:app_config_id", "app_config_id", "app_config", () => "app config");

  app.get("/v1/action-workflows/:workflow_id/latest-config", (c) => {
    const runner = runnerOf(store, c);
    if (!runner.ok) return runner.error;
    const json = latestConfig(store, runner.value.row.id, c.req.param("workflow_id"));
    if (json === null) return notFound(c, "action workflow config : unable to get action workflow latest config");
    return c.body(json, 200, { "content-type": "application/json; charset=utf-8" });
  });

  app.put("/v1/installs/:install_id/action-workflow-runs/:workflow_run_id/steps/:step_id", async (c) => {
    const runner = runnerOf(store, c);
    if (!runner.ok) return runner.error;
    const body = await readJson(c, actionStepUpdate);
    if (!body.ok) return body.error;
    const id = c.req.param("step_id");
    const found = reachDocument(store, runner.value, id, "action_step");
    if (!found) return noRecord(c, `unable to update install action workflow run step: no step found: ${id}`);
    const status = stepStatus.safeParse(body.value.status);
    if (body.value.status && !status.success)
      return badRequest(c, `invalid request: unknown status ${body.value.status}`);
    const execution = openExecution(store, runner.value, found.job.id);
    if (execution && status.success) {
      const step = { name: found.name, status: status.data, durationMs: nsToMs(body.value.execution_duration) };
      await store.db.group(() => {
        const fresh = store.sql.execution.get(execution.id);
        if (fresh && fresh.finished_at === null) setStep(store, found.job, fresh, step);
      });
    }
    return c.json({ status: body.value.status ?? "", execution_duration: body.value.execution_duration ?? 0 });
  });

  return app;
}

/** The newest config of an action that this runner ran a job of; its last jobs are looked at, not all of its past. */
function latestConfig(store: Store, runnerId: string, workflowId: string): string | null {
  const row = store.db
    .prepare<{ json: string }, [string, string]>(
      `SELECT d.json FROM (SELECT job_id, max(rowid) AS seq FROM executions WHERE runner_id = ? GROUP BY job_id
         ORDER BY seq DESC LIMIT 1000) e JOIN documents d ON d.job_id = e.job_id AND d.kind = 'action_config'
       WHERE json_extract(d.json, '$.action_workflow_id') = ? ORDER BY e.seq DESC LIMIT 1`,
    )
    .get(runnerId, workflowId);
  return row?.json ?? null;
}
