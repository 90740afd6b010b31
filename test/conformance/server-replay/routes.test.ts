import { afterAll, expect, test } from "bun:test";
import { httpOf } from "../../../internal/runner/controlplane/dialect-http.ts";
import { createNuonClient } from "../../../internal/runner/controlplane/nuon/client.ts";
import { loadPlan } from "../../../internal/runner/controlplane/nuon/plan.ts";
import { createReadJob } from "../../../internal/runner/controlplane/nuon/read-job.ts";
import { type Recorded, recorded, TOKEN } from "./recorded.ts";
import { startReplay } from "./replay.ts";
import { altered, RUNNER_ID } from "./scene.ts";

const JOB = "job0000000000000000tfapply";
const NO_ROUTE = recorded("(unregistered)", "404: path that is not registered");
const UNKNOWN = recorded("GetRunnerJob", "404");
const PLAN = recorded("GetRunnerJobPlan", "200: text/plain");
const NO_PLAN = altered(PLAN, [PLAN.response.body ?? "", ""]);

let served: Readonly<Record<string, Recorded>> = {};
const server = await startReplay(({ path }) => served[path] ?? NO_ROUTE);
afterAll(() => server.stop());

const never = new AbortController().signal;
const http = httpOf({ url: server.url, runnerId: RUNNER_ID, token: TOKEN, version: "0.1.0" }, server.url);
const readJob = () => createReadJob(createNuonClient(http), RUNNER_ID);
const [plain, scoped] = [`/v1/runner-jobs/${JOB}`, `/v1/runners/${RUNNER_ID}/jobs/${JOB}`];
const asked = () => server.arrived.slice(before).map((one) => one.path);
let before = 0;
const serve = (routes: Readonly<Record<string, Recorded>>) => {
  served = routes;
  before = server.arrived.length;
};

test("a job is found under its runner where the server knows no other route, which is asked only once", async () => {
  serve({ [scoped]: recorded("GetRunnerJobV2", "200") });
  const read = readJob();
  for (let n = 0; n < 2; n++) {
    const job = await read(JOB, { signal: never });
    expect(job.ok && job.value.value.id).toBe(JOB);
  }
  expect(asked()).toEqual([plain, scoped, scoped]);
});

test("a job that the server does not know is not looked for elsewhere", async () => {
  serve({ [plain]: UNKNOWN, [scoped]: recorded("GetRunnerJobV2", "200") });
  const job = await readJob()(JOB, { signal: never });
  expect(job.ok ? null : job.error.status).toBe(404);
  expect(asked()).toEqual([plain]);
});

test("a plan is found under its runner where the server knows no other route", async () => {
  const document = recorded("GetRunnerJobPlanV2", "200");
  serve({ [`${scoped}/plan`]: document });
  expect(await loadPlan(http, JOB, never, RUNNER_ID)).toEqual({ ok: true, value: document.response.body ?? "" });
});

test("a job without a plan is asked for nothing more", async () => {
  serve({ [`${plain}/plan`]: recorded("GetRunnerJobPlan", "404: job without plan") });
  expect(await loadPlan(http, JOB, never, RUNNER_ID)).toEqual({ ok: true, value: null });
  expect(asked()).toEqual([`${plain}/plan`]);
});

test("an empty plan text is replaced by the server's composite plan, where it has one", async () => {
  const composite = recorded("GetRunnerJobCompositePlan", "200: public engine");
  serve({ [`${plain}/plan`]: NO_PLAN, [`${plain}/composite-plan`]: composite });
  const plan = await loadPlan(http, JOB, never, RUNNER_ID);
  expect(plan.ok && JSON.parse(plan.value ?? "")).toEqual(JSON.parse(composite.response.body ?? "").deploy_plan);
  serve({ [`${plain}/plan`]: NO_PLAN, [`${plain}/composite-plan`]: recorded("GetRunnerJobCompositePlan", "404") });
  expect(await loadPlan(http, JOB, never, RUNNER_ID)).toEqual({ ok: true, value: "" });
});
