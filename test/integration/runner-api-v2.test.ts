import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  ACTION,
  type Bed,
  claim,
  NOOP,
  openSession,
  type RunnerClient,
  startBed,
  submit,
  submitTerraform,
} from "./runner-api-bed.ts";

/** Operations of the runner API that the Go runner never calls: other clients may. */
let bed: Bed;
let runner: RunnerClient;
let stranger: RunnerClient;
beforeAll(async () => {
  bed = await startBed();
  runner = await bed.runner("reader");
  stranger = await bed.runner("stranger");
});
afterAll(() => bed.stop());

async function reserved(of: RunnerClient, file: Record<string, unknown>, group: string) {
  await of.call("GET", `/v1/runners/${of.id}/jobs?group=${group}`);
  const job = await submit(bed, file, { runner: of.id });
  await of.call("GET", `/v1/runners/${of.id}/jobs?group=${group}`);
  const execution = (await of.call("POST", `/v1/runner-jobs/${job}/executions`, null)).json.id as string;
  const patch = (status: string) => of.call("PATCH", `/v1/runner-jobs/${job}/executions/${execution}`, { status });
  return { job, execution, patch };
}

test("a runner reads itself with its group and settings, and no other", async () => {
  const answer = await runner.call("GET", `/v1/runners/${runner.id}`);
  expect(answer.json).toMatchObject({ id: runner.id, name: "reader", runner_group: { settings: { platform: "" } } });
  expect((await stranger.call("GET", `/v1/runners/${runner.id}`)).status).toBe(404);
  const silent = await bed.runner("silent");
  expect((await silent.call("GET", `/v1/runners/${silent.id}`)).json.status).toBe("pending");
  await silent.call("POST", `/v1/runners/${silent.id}/heart-beats`, { alive_time: 1, process: "install" });
  expect((await silent.call("GET", `/v1/runners/${silent.id}`)).json.status).toBe("active");
});

test("a job and its plan are the same under the runner's own route", async () => {
  const one = await bed.runner("v2");
  const { job, patch } = await reserved(one, ACTION, "actions");
  for (const end of ["", "/plan"]) {
    const first = await one.call("GET", `/v1/runner-jobs/${job}${end}`);
    const second = await one.call("GET", `/v1/runners/${one.id}/jobs/${job}${end}`);
    expect(second.headers.get("content-type")).toBe(first.headers.get("content-type"));
    const { execution_time: _, ...document } = first.json;
    expect(second.json).toMatchObject(document);
    expect((await stranger.call("GET", `/v1/runners/${stranger.id}/jobs/${job}${end}`)).status).toBe(404);
    expect((await stranger.call("GET", `/v1/runners/${one.id}/jobs/${job}${end}`)).status).toBe(404);
  }
  await patch("finished");
});

test("a composite plan holds the plan under the name of its family; a job without a plan has none", async () => {
  const one = await bed.runner("composite");
  const action = await reserved(one, ACTION, "actions");
  const plan = await one.call("GET", `/v1/runner-jobs/${action.job}/plan`);
  const composite = await one.call("GET", `/v1/runner-jobs/${action.job}/composite-plan`);
  expect(composite.headers.get("content-type")).toContain("application/json");
  expect(composite.json).toEqual({ action_workflow_run_plan: plan.json });
  expect((await stranger.call("GET", `/v1/runner-jobs/${action.job}/composite-plan`)).status).toBe(404);
  await action.patch("finished");
  const noop = await reserved(one, NOOP, "operations");
  expect((await one.call("GET", `/v1/runner-jobs/${noop.job}/composite-plan`)).status).toBe(404);
  await noop.patch("finished");
});

test("executions of a job are listed and read one by one, within reach only", async () => {
  const one = await bed.runner("executions");
  const { job, execution, patch } = await reserved(one, NOOP, "operations");
  const list = await one.call("GET", `/v1/runner-jobs/${job}/executions`);
  expect(list.json).toMatchObject([{ id: execution, runner_job_id: job, status: "pending" }]);
  expect(list.headers.get("x-nuon-page-limit")).toBe("10");
  expect((await one.call("GET", `/v1/runner-jobs/${job}/executions?offset=1`)).json).toEqual([]);
  expect((await one.call("GET", `/v1/runner-jobs/${job}/executions/${execution}`)).json).toEqual(list.json[0]);
  expect((await stranger.call("GET", `/v1/runner-jobs/${job}/executions`)).status).toBe(404);
  expect((await stranger.call("GET", `/v1/runner-jobs/${job}/executions/${execution}`)).status).toBe(404);
  await patch("finished");
});

test("jobs are listed by status, newest first, and only those of the runner", async () => {
  const one = await bed.runner("lister");
  const first = await reserved(one, NOOP, "operations");
  await first.patch("finished");
  const second = await reserved(one, NOOP, "operations");
  const list = async (of: RunnerClient, query: string) =>
    (await of.call("GET", `/v1/runners/${of.id}/jobs?${query}`)).json.map((job: { id: string }) => job.id);
  expect(await list(one, "status=finished")).toEqual([first.job]);
  expect(await list(one, "status=in-progress&group=operations")).toEqual([second.job]);
  expect(await list(one, "status=in-progress&group=deploy")).toEqual([]);
  expect(await list(one, "status=unknown")).toEqual([second.job, first.job]);
  expect(await list(one, "status=unknown&limit=1&offset=1")).toEqual([first.job]);
  expect(await list(stranger, "status=unknown")).toEqual([]);
  await second.patch("finished");
});

describe("PATCH of a runner, which always fails on the real server", () => {
  test("finishes the one job it works on, and is 404 without one", async () => {
    const one = await bed.runner("patched");
    const path = `/v1/runners/${one.id}`;
    expect((await one.call("PATCH", path, { status: "finished" })).status).toBe(404);
    const { job } = await reserved(one, { type: "shut-down", spec: { shutdown_type: "force" } }, "operations");
    expect((await stranger.call("PATCH", path, { status: "finished" })).status).toBe(404);
    expect((await one.call("PATCH", path, { status: "finished" })).status).toBe(200);
    expect((await bed.admin("GET", `/jobs/${job}`)).json.status).toBe("finished");
  });
});

test("the newest config of an action is read by who worked on it; of an unknown action there is none", async () => {
  const one = await bed.runner("configs");
  const { job, patch } = await reserved(one, ACTION, "actions");
  const plan = (await one.call("GET", `/v1/runner-jobs/${job}/plan`)).json;
  const run = (await one.call("GET", `/v1/installs/${plan.install_id}/action-workflows/runs/${plan.id}`)).json;
  const config = (await one.call("GET", `/v1/action-workflows/configs/${run.action_workflow_config_id}`)).json;
  const latest = (of: RunnerClient, id: string) => of.call("GET", `/v1/action-workflows/${id}/latest-config`);
  expect((await latest(one, config.action_workflow_id)).json).toEqual(config);
  expect((await latest(stranger, config.action_workflow_id)).status).toBe(404);
  expect((await latest(one, "acwunknown")).json).toMatchObject({
    error: "unable to get action workflow config : unable to get action workflow latest config: record not found",
  });
  await patch("finished");
});

test("the last active plan of a component is null before its second deploy, and 404 for others", async () => {
  const one = await bed.runner("deployer");
  await openSession(one, "deployer-1");
  const job = await submitTerraform(bed, one, "network");
  await claim(one, "deployer-1");
  const plan = (await one.call("GET", `/v1/runner-jobs/${job}/plan`)).json;
  const path = `/v1/installs/${plan.install_id}/${plan.component_id}/last-active-plan`;
  const answer = await one.call("GET", path);
  expect({ status: answer.status, text: answer.text }).toEqual({
    status: 200,
    text: '{"ComponentDeployRunnerPlan":null}',
  });
  expect((await stranger.call("GET", path)).status).toBe(404);
  expect((await one.call("GET", `/v1/installs/${plan.install_id}/cmp0/last-active-plan`)).status).toBe(404);
});
