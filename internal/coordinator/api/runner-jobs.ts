import { Hono } from "hono";
import { executionStatus, isTerminal, type JobGroup, jobGroup } from "../../protocol/enums.ts";
import { newId } from "../../protocol/ids.ts";
import { executionOutputsRequest, executionPatch, executionResultRequest, jobPatch } from "../../protocol/nuon/jobs.ts";
import type { JobRow } from "../store/statements.ts";
import type { Store } from "../store/store.ts";
import { reserveJob } from "../store/transitions/claim.ts";
import { patchExecution, patchJob } from "../store/transitions/nuon-progress.ts";
import { NUON_INSTANCE, nuonSign } from "../store/transitions/nuon-session.ts";
import { recordOutputs, recordResult } from "../store/transitions/reports.ts";
import { runnerAt, runnerOf } from "./auth.ts";
import { readJson } from "./body.ts";
import type { RunnerApiDeps } from "./runner-deps.ts";
import { badRequest, conflict, NO_JOB, notFound } from "./runner-errors.ts";
import { type Page, pageAnswer, pageOf } from "./runner-page.ts";
import { offerToPoll, openExecution, reachExecution, reachJob } from "./runner-reach.ts";
import { executionDocument, jobDocument, jobWithExecutions } from "./runner-wire.ts";

/** Results may carry a saved plan and its display. */
const RESULT_LIMIT = 128 * 1024 * 1024;

/** Baseline: what the unmodified Go runner calls for its jobs (nuon-runner-api.md 2.3–2.10, checklist 12.1). */
export function jobRoutes(deps: RunnerApiDeps): Hono {
  const app = new Hono();
  const { store } = deps;

  app.get("/v1/runners/:runner_id/jobs", (c) => {
    const runner = runnerAt(store, c);
    if (!runner.ok) return runner.error;
    const page = pageOf(c);
    if (!page.ok) return page.error;
    const asked = c.req.query("group") ?? "any";
    const group = jobGroup.safeParse(asked);
    if (!group.success && asked !== "any" && asked !== "") return c.json([]);
    const id = runner.value.row.id;
    if (!nuonSign(store, id, group.success ? { group: group.data } : {})) return c.json([]);
    const known = store.runners.get(id) ?? runner.value;
    const wanted = group.success ? group.data : null;
    const status = c.req.query("status") ?? "available";
    if (status !== "available") return pageAnswer(c, jobsOf(store, id, wanted, status, page.value), page.value);
    const jobs = offerToPoll(store, known, wanted).map((job) => jobDocument(job, id));
    return pageAnswer(c, jobs.slice(page.value.offset), page.value);
  });

  app.get("/v1/runner-jobs/:job_id", (c) => {
    const runner = runnerOf(store, c);
    if (!runner.ok) return runner.error;
    const job = reachJob(store, runner.value, c.req.param("job_id"));
    return job ? c.json(jobWithExecutions(store, job, runner.value.row.id)) : notFound(c, NO_JOB);
  });

  app.get("/v1/runners/:runner_id/jobs/:job_id", (c) => {
    const runner = runnerAt(store, c, NO_JOB);
    if (!runner.ok) return runner.error;
    const job = reachJob(store, runner.value, c.req.param("job_id"));
    return job ? c.json(jobWithExecutions(store, job, runner.value.row.id)) : notFound(c, NO_JOB);
  });

  app.patch("/v1/runner-jobs/:job_id", async (c) => {
    const runner = runnerOf(store, c);
    if (!runner.ok) return runner.error;
    const body = await readJson(c, jobPatch);
    if (!body.ok) return body.error;
    const job = reachJob(store, runner.value, c.req.param("job_id"));
    if (!job) return notFound(c, NO_JOB);
    const execution = openExecution(store, runner.value, job.id);
    if (execution && body.value.status === "finished") await store.db.group(() => patchJob(store, execution), "full");
    return c.json({ updated_at: new Date(store.clock.now()).toISOString() });
  });

  // The real server registered its job PATCH here, without the job's id, where it always fails. One open job is meant.
  app.patch("/v1/runners/:runner_id", async (c) => {
    const runner = runnerAt(store, c, NO_JOB);
    if (!runner.ok) return runner.error;
    const body = await readJson(c, jobPatch);
    if (!body.ok) return body.error;
    const [execution, another] = store.sql.openOfRunner.all(runner.value.row.id);
    if (!execution) return notFound(c, NO_JOB);
    if (another) return conflict(c, "the runner works on several jobs: PATCH /v1/runner-jobs/{id} says which one");
    if (body.value.status === "finished") await store.db.group(() => patchJob(store, execution), "full");
    return c.json({ updated_at: new Date(store.clock.now()).toISOString() });
  });

  app.get("/v1/runner-jobs/:job_id/executions", (c) => {
    const runner = runnerOf(store, c);
    if (!runner.ok) return runner.error;
    const job = reachJob(store, runner.value, c.req.param("job_id"));
    if (!job) return notFound(c, NO_JOB);
    const page = pageOf(c);
    if (!page.ok) return page.error;
    const { offset, limit } = page.value;
    const newestFirst = store.sql.executionsOfJob.all(job.id).reverse().map(executionDocument);
    return pageAnswer(c, newestFirst.slice(offset, offset + limit + 1), page.value);
  });

  // The body is `null`: it is not read.
  app.post("/v1/runner-jobs/:job_id/executions", async (c) => {
    const runner = runnerOf(store, c);
    if (!runner.ok) return runner.error;
    const id = runner.value.row.id;
    const jobId = c.req.param("job_id");
    if (!reachJob(store, runner.value, jobId) || !nuonSign(store, id, {})) return notFound(c, NO_JOB);
    const clientVersion = (c.req.header("x-nuon-client-version") ?? "").slice(0, 200);
    const reserved = await store.db.group(
      () => reserveJob(store, { runnerId: id, jobId, instanceId: NUON_INSTANCE, clientVersion }),
      "full",
    );
    if (reserved.ok) return c.json(executionDocument(reserved.value.execution), 201);
    if (reserved.error.code === "not_found") return notFound(c, NO_JOB);
    return conflict(c, `unable to reserve the job: ${reserved.error.message}`);
  });

  const EXECUTION = "/v1/runner-jobs/:job_id/executions/:execution_id";

  app.get(EXECUTION, (c) => {
    const runner = runnerOf(store, c);
    if (!runner.ok) return runner.error;
    const found = reachExecution(store, runner.value, c.req.param("job_id"), c.req.param("execution_id"));
    return found ? c.json(executionDocument(found.execution)) : notFound(c, RUN);
  });

  app.patch(EXECUTION, async (c) => {
    const runner = runnerOf(store, c);
    if (!runner.ok) return runner.error;
    const body = await readJson(c, executionPatch);
    if (!body.ok) return body.error;
    const found = reachExecution(store, runner.value, c.req.param("job_id"), c.req.param("execution_id"));
    if (!found) return notFound(c, RUN);
    store.runners.touch(runner.value.row.id);
    const status = executionStatus.safeParse(body.value.status ?? "");
    if (status.success && status.data !== "unknown") {
      const wanted = status.data;
      await store.db.group(
        () => patchExecution(store, found.execution.id, wanted),
        isTerminal(wanted) ? "full" : "normal",
      );
    } else if (body.value.status) {
      return badRequest(c, `invalid request: unknown status ${body.value.status}`);
    }
    const after = store.sql.execution.get(found.execution.id) ?? found.execution;
    return c.json({ updated_at: new Date(store.clock.now()).toISOString(), status: after.status });
  });

  app.post(`${EXECUTION}/result`, async (c) => {
    const runner = runnerOf(store, c);
    if (!runner.ok) return runner.error;
    const body = await readJson(c, executionResultRequest, RESULT_LIMIT);
    if (!body.ok) return body.error;
    const found = reachExecution(store, runner.value, c.req.param("job_id"), c.req.param("execution_id"));
    if (!found) return notFound(c, RUN);
    await store.db.group(() => recordResult(store, found.execution.id, body.value), "full");
    return c.json(null, 201);
  });

  app.post(`${EXECUTION}/outputs`, async (c) => {
    const runner = runnerOf(store, c);
    if (!runner.ok) return runner.error;
    const body = await readJson(c, executionOutputsRequest, RESULT_LIMIT);
    if (!body.ok) return body.error;
    const found = reachExecution(store, runner.value, c.req.param("job_id"), c.req.param("execution_id"));
    if (!found) return notFound(c, "runner job execution");
    const outputs = body.value.outputs ?? null;
    await store.db.group(() => recordOutputs(store, found.execution.id, outputs), "full");
    const now = new Date(store.clock.now()).toISOString();
    return c.json(
      {
        id: newId("execution"),
        created_by_id: runner.value.row.id,
        created_at: now,
        updated_at: now,
        runner_job_execution_id: found.execution.id,
        outputs_json: Buffer.from(JSON.stringify(outputs)).toString("base64"),
      },
      201,
    );
  });

  return app;
}

/** Jobs of a runner by their status, newest first; `unknown`: any. One more than the page holds, to know of the next. */
function jobsOf(store: Store, runnerId: string, group: JobGroup | null, status: string, page: Page) {
  return store.db
    .prepare<JobRow, [string, string, string | null, number, number]>(
      `SELECT j.* FROM jobs j WHERE (j.runner_id = ?1 OR EXISTS (
         SELECT 1 FROM executions e WHERE e.job_id = j.id AND e.runner_id = ?1))
       AND (?2 = 'unknown' OR j.status = ?2) AND j.job_group = coalesce(?3, j.job_group)
       ORDER BY j.created_at DESC, j.rowid DESC LIMIT ?4 OFFSET ?5`,
    )
    .all(runnerId, status, group, page.limit + 1, page.offset)
    .map((job) => jobDocument(job, runnerId));
}

const RUN = "runner job execution: unable to get runner job execution";
