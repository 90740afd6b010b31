import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { goProgram } from "../../bed/go-program.ts";
import { OPERATIONS } from "../operations.ts";
import { type GoBed, type Identity, startGoBed } from "./lib/bed.ts";
import { type GeneratedAnswer, type GeneratedClient, generatedClient } from "./lib/generated.ts";

const program = goProgram("nuon-client");
const inCi = process.env.CI === "true";

type Params = Readonly<Record<string, unknown>>;

/**
 * A client in Go that go-swagger makes of Nuon's description, as their SDK was made: typed structs, strict times and
 * base64, one success status per operation; and OpenTelemetry's own exporter for Go. None of it is ours.
 */
describe.skipIf(program === null && !inCi)("a generated Go client (needs Go)", () => {
  let bed: GoBed;
  let me: Identity;
  let client: GeneratedClient;
  const called = new Set<string>();
  const clients: GeneratedClient[] = [];
  const clientOf = (token: string) => {
    const made = generatedClient(program ?? "", bed.url, token, bed.ca?.file);
    clients.push(made);
    return made;
  };
  beforeAll(async () => {
    bed = await startGoBed({ tls: true });
    me = await bed.identity();
    client = clientOf(me.token);
    mkdirSync(bed.path("module"));
    writeFileSync(bed.path("module", "main.tf"), 'output "x" { value = "1" }\n');
  }, 30_000);
  afterAll(async () => {
    for (const each of clients) each.close();
    await bed.end();
  });

  const call = (operation: string, params: Params = {}): Promise<GeneratedAnswer> => {
    called.add(operation);
    return client.call(operation, params);
  };
  /** The document of an answer that the client takes, and that its model finds valid. */
  const fine = async (operation: string, params: Params = {}) => {
    const { payload, ...about } = await call(operation, params);
    expect({ operation, ...about }).toMatchObject({ operation, error: null, invalid: null });
    return payload;
  };
  const runner = () => ({ runner_id: me.id });

  /** Offered, read by both routes, and reserved. */
  async function taken(file: object, group: string) {
    const beat = { alive_time: 1_000_000_000, version: "v0.20.0", process: "install" };
    await fine("CreateRunnerHeartBeat", { ...runner(), body: beat });
    await fine("GetRunnerJobs", { ...runner(), group });
    await bed.submit(file, me.id);
    const [job] = await fine("GetRunnerJobs", { ...runner(), group });
    const of = { runner_job_id: String(job?.id) };
    expect(await fine("GetRunnerJob", of)).toMatchObject({ id: job.id, status: "available", executions: [] });
    expect(await fine("GetRunnerJobV2", { ...runner(), job_id: job.id })).toMatchObject({ id: job.id });
    const { id } = await fine("CreateRunnerJobExecution", of);
    const execution = { ...of, runner_job_execution_id: String(id) };
    return {
      job,
      of,
      execution,
      plan: async () => JSON.parse(await fine("GetRunnerJobPlan", of)),
      patch: (status: string) => fine("UpdateRunnerJobExecution", { ...execution, body: { status } }),
    };
  }
  type Taken = Awaited<ReturnType<typeof taken>>;

  async function reported({ of, execution, patch }: Taken, outputs: object | null) {
    const result = { success: true, contents_compressed: btoa("contents") };
    await fine("CreateRunnerJobExecutionResult", { ...execution, body: result });
    await fine("CreateRunnerJobExecutionOutputs", { ...execution, body: { outputs } });
    await patch("cleaning-up");
    await patch("finished");
    expect(await fine("GetRunnerJobExecution", execution)).toMatchObject({ status: "finished" });
    expect(await fine("GetRunnerJobExecutions", of)).toHaveLength(1);
    const job = await fine("GetRunnerJob", of);
    expect(job).toMatchObject({ status: "finished", execution_count: 1, ...(outputs === null ? {} : { outputs }) });
  }

  test("reads its settings and itself, and is alive", async () => {
    const settings = await fine("GetRunnerSettings", runner());
    expect(settings).toMatchObject({ heart_beat_timeout: 5_000_000_000, logging_level: expect.any(String) });
    expect(await fine("GetRunner", runner())).toMatchObject({ id: me.id });
    const beat = { alive_time: 3_600_000_000_123, version: "v0.20.0", process: "install" };
    expect(await fine("CreateRunnerHeartBeat", { ...runner(), body: beat })).toMatchObject(beat);
    await fine("CreateRunnerHealthCheck", { ...runner(), body: { process: "install" } });
    await fine("PublishMetrics", { body: [{ incr: { name: "polls", value: 1 } }] });
    const span = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", name: "step" };
    const resourceSpans = [{ scopeSpans: [{ spans: [{ ...span, startTimeUnixNano: "1", endTimeUnixNano: "2" }] }] }];
    await fine("RunnerOtelWriteTraces", { ...runner(), body: { resourceSpans } });
    const gauge = { dataPoints: [{ timeUnixNano: "1", asDouble: 1.5 }] };
    const resourceMetrics = [{ scopeMetrics: [{ metrics: [{ name: "memory", gauge }] }] }];
    await fine("RunnerOtelWriteMetrics", { ...runner(), body: { resourceMetrics } });
  });

  test("works an action from poll to outputs, and every line of its log arrives", async () => {
    const steps = [{ name: "greet", run: "echo hi" }];
    const action = await taken(
      { type: "actions-workflow", name: "hello", spec: { env: { A: "b" }, steps } },
      "actions",
    );
    await action.patch("initializing");
    const plan = await action.plan();
    expect(JSON.parse(await fine("GetRunnerJobPlanV2", { ...runner(), job_id: action.job.id }))).toEqual(plan);
    expect(await fine("GetRunnerJobCompositePlan", action.of)).toMatchObject({
      action_workflow_run_plan: { id: plan.id },
    });
    const install = { install_id: plan.install_id };
    const run = await fine("GetInstallActionWorkflowRun", { ...install, run_id: plan.id });
    const { action_workflow_config_id } = run;
    const config = await fine("GetActionWorkflowConfig", { action_workflow_config_id });
    await fine("GetActionWorkflowLatestConfig", { workflow_id: config.action_workflow_id });
    const body = { status: "finished", execution_duration: 5_000_000_000 };
    const step = { workflow_run_id: config.action_workflow_id, step_id: run.steps[0].id };
    expect(await fine("UpdateInstallActionWorkflowRunStep", { ...install, ...step, body })).toMatchObject(body);

    called.add("LogStreamWriteLogs");
    const attributes = {
      "runner_job.id": action.job.id,
      "runner_job_execution.id": action.execution.runner_job_execution_id,
    };
    const lines = Array.from({ length: 60 }, (_, at) => `line ${at}`);
    const records = lines.map((text) => ({ text, severity: 9, attributes }));
    expect(await client.log(action.job.log_stream_id, records)).toBeNull();
    expect(await client.log("lognone", records.slice(0, 1))).toContain("404");
    await reported(action, { answer: { deep: 1 }, big: 12_345_678_901_234 });
    expect((await bed.logLines(action.job.id)).map((line) => line.text)).toEqual(lines);
  });

  test("works terraform: app config, state under a lock, state-json and workspaces", async () => {
    const spec = { source: { path: "./module" }, workspace: "network", version: "1.11.4" };
    const deploy = await taken({ type: "terraform-deploy", operation: "plan", name: "network", spec }, "deploy");
    const plan = await deploy.plan();
    expect(await fine("GetRunnerJobCompositePlan", deploy.of)).toMatchObject({ deploy_plan: { app_id: plan.app_id } });
    const { install_id, app_id, app_config_id, component_id } = plan;
    const [connection] = (await fine("GetRunnerAppConfig", { app_id, app_config_id })).component_config_connections;
    expect(connection).toMatchObject({ component_id, terraform_module: { version: "1.11.4" } });
    await fine("GetInstallComponenetLastActivePlan", { install_id, component_id });

    const workspace_id = String(plan.terraform.terraform_backend.WorkspaceID);
    const at = { workspace_id, job_id: deploy.job.id };
    const lock = { ID: "4f6e", Operation: "OperationTypePlan", Info: "", Who: "me@host", Version: "1.11.4", Path: "" };
    const own = { ...lock, Created: "2026-11-22T01:02:03.123456789Z" };
    expect(await call("GetTerraformCurrentStateData", at)).toMatchObject({ status: 204 });
    await fine("LockTerraformWorkspace", { ...at, body: own });
    expect(await call("LockTerraformWorkspace", { ...at, body: { ...own, ID: "other" } })).toMatchObject({
      status: 423,
    });
    const state = { version: 4, terraform_version: "1.11.4", serial: 1, lineage: "l", outputs: {}, resources: [] };
    await fine("UpdateTerraformState", { ...at, ID: own.ID, body: state });
    expect(JSON.parse(await fine("GetTerraformCurrentStateData", at))).toMatchObject({ serial: 1, lineage: "l" });
    await fine("UpdateTerraformStateJSON", { ...at, body: btoa('{"format_version":"1.0"}') });
    expect(await fine("GetTerraformWorkspace", { workspace_id })).toMatchObject({ id: workspace_id });
    expect(await fine("GetTerraformWorkspaces")).toHaveLength(1);
    await fine("UnlockTerraformWorkspace", { ...at, body: own });
    await fine("DeleteTerraformStateJSON", { workspace_id });
    await fine("DeleteTerraformState", at);
    const made = await fine("CreateTerraformWorkspace", { body: { owner_id: "inl1", owner_type: "installs" } });
    await fine("DeleteTerraformWorkspace", { workspace_id: made.id });
    await reported(deploy, null);
  });

  test("works a chart given as an exact plan, whose app config the plan implies, and keeps its releases", async () => {
    const chart = { helm_chart_id: "hmctest0000000000000000001", namespace: "web" };
    const plan = {
      ...{ install_id: "inl1", app_id: "app1", app_config_id: "apc1", component_id: "cmp1", component_name: "web" },
      src_registry: { Repository: "127.0.0.1:1/builds", LoginServer: "127.0.0.1:1" },
      src_tag: "bld1",
      helm: { name: "demo", namespace: "web", helm_chart_id: chart.helm_chart_id, storage_driver: "nuon" },
    };
    const deploy = await taken({ type: "helm-chart-deploy", operation: "plan", plan }, "deploy");
    expect(await deploy.plan()).toEqual(plan);
    const config = await fine("GetRunnerAppConfig", { app_id: "app1", app_config_id: "apc1" });
    expect(config.component_config_connections).toMatchObject([{ component_id: "cmp1", helm: { chart_name: "demo" } }]);
    const one = { ...chart, key: "sh.helm.release.v1.demo.v1" };
    const release = (status: string) => ({
      name: "demo",
      info: { first_deployed: "2026-11-21T03:00:00.123456789Z", deleted: "", status },
      ...{ chart: {}, config: {}, manifest: "x", version: 1, namespace: "web" },
      labels: { name: "demo", owner: "helm", status },
    });
    const query = { ...chart, name: "demo", owner: "helm" };
    expect(await call("QueryHelmRelease", query)).toMatchObject({ status: 404, payload: { user_error: true } });
    await fine("CreateHelmRelease", { ...one, body: release("pending-install") });
    expect(await call("CreateHelmRelease", { ...one, body: release("deployed") })).toMatchObject({ status: 409 });
    await fine("UpdateHelmRelease", { ...one, body: release("deployed") });
    expect(await fine("QueryHelmRelease", query)).toMatchObject([{ info: { status: "deployed" } }]);
    expect(await fine("GetHelmReleases", chart)).toHaveLength(1);
    expect(await fine("GetHelmRelease", one)).toMatchObject({ name: "demo" });
    await fine("DeleteHelmRelease", one);
    expect(await call("GetHelmRelease", one)).toMatchObject({ status: 404, payload: { error: "release not found" } });
    await reported(deploy, {});
  });

  test("works an action given as an exact plan, twice under the same ids", async () => {
    const step = {
      run_id: "iastest0000000000000000001",
      attrs: { "step.id": "acs1", "step.name": "greet" },
      interpolated_env_vars: {},
      git_source: { url: "", ref: "", path: "", recurse_submodules: false },
      interpolated_inline_contents: "#!/bin/sh\ntrue\n",
      interpolated_command: "",
    };
    const plan = { id: "iartest0000000000000000001", install_id: "inl1", attrs: {}, steps: [step] };
    for (const time of ["first", "second"]) {
      const action = await taken({ type: "actions-workflow", name: time, plan }, "actions");
      const run = await fine("GetInstallActionWorkflowRun", { install_id: "inl1", run_id: plan.id });
      const { action_workflow_config_id } = run;
      const config = await fine("GetActionWorkflowConfig", { action_workflow_config_id });
      expect(config.steps).toMatchObject([{ name: "greet", inline_contents: "#!/bin/sh\ntrue\n" }]);
      const to = { install_id: "inl1", workflow_run_id: config.action_workflow_id, step_id: step.run_id };
      await fine("UpdateInstallActionWorkflowRunStep", { ...to, body: { status: "finished", execution_duration: 1 } });
      await reported(action, null);
      const [execution] = (await bed.show(action.job.id)).executions;
      expect(execution?.steps).toMatchObject([{ name: "greet", status: "finished" }]);
    }
  });

  test("finishes a job itself, by both routes, and is told in Nuon's words what it may not", async () => {
    const one = await taken({ type: "noop" }, "operations");
    expect(await call("GetRunnerJobPlan", one.of)).toMatchObject({ status: 404, payload: { user_error: true } });
    await fine("UpdateRunnerJob", { ...one.of, body: { status: "finished" } });
    await taken({ type: "noop" }, "operations");
    await fine("UpdateRunnerJobV2Broken", { ...runner(), body: { status: "finished" } });
    const jobs = await fine("GetRunnerJobs", { ...runner(), status: "unknown", limit: 100 });
    expect(jobs.map((job: { status: string }) => job.status)).toEqual(Array(7).fill("finished"));
    for (const [operation, params, status] of [
      ["GetRunnerJob", { runner_job_id: "jobnone" }, 404],
      ["GetRunnerSettings", { runner_id: "runnone" }, 404],
      ["UpdateRunnerJobExecution", { ...one.execution, body: { status: "bogus" } }, 400],
    ] as const) {
      const { payload, ...answer } = await call(operation, params);
      expect({ operation, status: answer.status, user_error: payload?.user_error }).toEqual({
        ...{ operation, status },
        user_error: true,
      });
    }
    const stranger = await clientOf("nonsense").call("GetRunnerSettings", runner());
    expect(stranger).toMatchObject({ status: 401, payload: { user_error: true } });
  });

  test("found an answer of each operation of the description", () => {
    expect([...called].sort()).toEqual(Object.keys(OPERATIONS).sort());
  });
});
