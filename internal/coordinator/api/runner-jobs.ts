import { Hono } from "hono";
import { executionStatus, isTerminal, jobGroup } from "../../protocol/enums.ts";
import { newId } from "../../protocol/ids.ts";
import { nsToMs } from "../../protocol/nuon/base.ts";
import {
  executionOutputsRequest,
  executionPatch,
  executionResultRequest,
  heartBeatRequest,
  jobPatch,
} from "../../protocol/nuon/jobs.ts";
import { reserveJob } from "../store/transitions/claim.ts";
import { patchExecution, patchJob } from "../store/transitions/nuon-progress.ts";
import { NUON_INSTANCE, nuonBeat, nuonSign } from "../store/transitions/nuon-session.ts";
import { recordOutputs, recordResult } from "../store/transitions/reports.ts";
import { runnerAt, runnerOf } from "./auth.ts";
import { readJson } from "./body.ts";
import { publicUrlOf, type RunnerApiDeps } from "./runner-deps.ts";
import { badRequest, conflict, notFound } from "./runner-errors.ts";
import { offerToPoll, openExecution, reachExecution, reachJob } from "./runner-reach.ts";
import { credentialsOf, executionDocument, jobDocument, jobWithExecutions, settingsDocument } from "./runner-wire.ts";

/** Results may carry a saved plan and its display. */
const RESULT_LIMIT = 128 * 1024 * 1024;

/** Baseline: what the unmodified Go runner calls for its jobs (nuon-runner-api.md 2.1–2.10, checklist 12.1). */
export function jobRoutes(deps: RunnerApiDeps): Hono {
  const app = new Hono();
  const { store } = deps;

  app.get("/v1/runners/:runner_id/settings", (c) => {
    const runner = runnerAt(store, c);
    return runner.ok ? c.json(settingsDocument(runner.value, publicUrlOf(deps, c))) : runner.error;
  });

  app.get("/v1/runners/:runner_id", (c) => {
    const runner = runnerAt(store, c);
    if (!runner.ok) return runner.error;
    const created = new Date(runner.value.row.created_at).toISOString();
    const live = store.runners.contact(runner.value) === "online";
    const settings = settingsDocument(runner.value, publicUrlOf(deps, c));
    return c.json({
      id: runner.value.row.id,
      created_by_id: "coordinator",
      created_at: created,
      updated_at: created,
      name: runner.value.row.name,
      display_name: runner.value.row.name,
      status: live ? "active" : "error",
      status_description: live ? "active" : "the runner is not heard of",
      runner_group_id: settings.runner_group_id,
      runner_group: { id: settings.runner_group_id, created_at: created, updated_at: created, settings },
    });
  });

  app.post("/v1/runners/:runner_id/heart-beats", async (c) => {
    const runner = runnerAt(store, c, "runner: unable to get runner");
    if (!runner.ok) return runner.error;
    const body = await readJson(c, heartBeatRequest);
    if (!body.ok) return body.error;
    const process = body.value.process ?? "";
    const version = body.value.version ?? "";
    const id = runner.value.row.id;
    if (nuonSign(store, id, { process, version })) {
      nuonBeat(store, id, { process, aliveMs: nsToMs(body.value.alive_time) });
    }
    const now = new Date(store.clock.now()).toISOString();
    return c.json(
      {
        id: newId("heartBeat"),
        created_by_id: id,
        created_at: now,
        updated_at: now,
        runner_id: id,
        ...(body.value.alive_time ? { alive_time: body.value.alive_time } : {}),
        ...(version === "" ? {} : { version }),
        process,
      },
      201,
    );
  });

  app.get("/v1/runners/:runner_id/jobs", (c) => {
    const runner = runnerAt(store, c);
    if (!runner.ok) return runner.error;
    const limit = c.req.query("limit");
    if (limit !== undefined && !/^\d+$/.test(limit)) {
      return badRequest(c, `invalid limit ${limit}: strconv.Atoi: parsing "${limit}": invalid syntax`, "invalid limit");
    }
    const asked = c.req.query("group") ?? "any";
    const group = jobGroup.safeParse(asked);
    if (!group.success && asked !== "any" && asked !== "") return c.json([]);
    const id = runner.value.row.id;
    if (!nuonSign(store, id, group.success ? { group: group.data } : {})) return c.json([]);
    const status = c.req.query("status") ?? "available";
    if (status !== "available" && status !== "unknown") return c.json([]);
    const known = store.runners.get(id) ?? runner.value;
    const jobs = offerToPoll(store, known, group.success ? group.data : null);
    return c.json(jobs.map((job) => jobDocument(job, id)));
  });

  app.get("/v1/runner-jobs/:job_id", (c) => {
    const runner = runnerOf(store, c);
    if (!runner.ok) return runner.error;
    const job = reachJob(store, runner.value, c.req.param("job_id"));
    return job ? c.json(jobWithExecutions(store, job, runner.value.row.id)) : notFound(c, JOB);
  });

  app.patch("/v1/runner-jobs/:job_id", async (c) => {
    const runner = runnerOf(store, c);
    if (!runner.ok) return runner.error;
    const body = await readJson(c, jobPatch);
    if (!body.ok) return body.error;
    const job = reachJob(store, runner.value, c.req.param("job_id"));
    if (!job) return notFound(c, JOB);
    const execution = openExecution(store, runner.value, job.id);
    if (execution && body.value.status === "finished") await store.db.group(() => patchJob(store, execution), "full");
    return c.json({ updated_at: new Date(store.clock.now()).toISOString() });
  });

  app.get("/v1/runner-jobs/:job_id/plan", (c) => {
    const runner = runnerOf(store, c);
    if (!runner.ok) return runner.error;
    const job = reachJob(store, runner.value, c.req.param("job_id"));
    const plan = job ? store.sql.plan.get(job.id) : null;
    if (!job || !plan) return notFound(c, job ? "runner job: unable to get job plan" : JOB);
    const execution = openExecution(store, runner.value, job.id);
    const credentials = execution ? credentialsOf(store, execution) : { username: "", password: "" };
    const text = deps.renderPlan(plan.text, { credentials, publicUrl: publicUrlOf(deps, c) });
    return c.body(text, 200, { "content-type": "text/plain; charset=utf-8" });
  });

  app.get("/v1/runner-jobs/:job_id/executions", (c) => {
    const runner = runnerOf(store, c);
    if (!runner.ok) return runner.error;
    const job = reachJob(store, runner.value, c.req.param("job_id"));
    if (!job) return notFound(c, JOB);
    return c.json(store.sql.executionsOfJob.all(job.id).map(executionDocument));
  });

  // The body is `null`: it is not read.
  app.post("/v1/runner-jobs/:job_id/executions", async (c) => {
    const runner = runnerOf(store, c);
    if (!runner.ok) return runner.error;
    const id = runner.value.row.id;
    const jobId = c.req.param("job_id");
    if (!reachJob(store, runner.value, jobId) || !nuonSign(store, id, {})) return notFound(c, JOB);
    const clientVersion = (c.req.header("x-nuon-client-version") ?? "").slice(0, 200);
    const reserved = await store.db.group(
      () => reserveJob(store, { runnerId: id, jobId, instanceId: NUON_INSTANCE, clientVersion }),
      "full",
    );
    if (reserved.ok) return c.json(executionDocument(reserved.value.execution), 201);
    if (reserved.error.code === "not_found") return notFound(c, JOB);
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

const JOB = "runner job: unable to get runner job";
const RUN = "runner job execution: unable to get runner job execution";
