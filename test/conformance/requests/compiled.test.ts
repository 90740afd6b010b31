import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  ACTION,
  type Bed,
  claim,
  openSession,
  startBed,
  submit,
  submitTerraform,
} from "../../integration/runner-api-bed.ts";
import type { OperationName } from "../operations.ts";
import { serverShapes } from "./order.ts";

/** Documents that our coordinator makes of a job file, beside those the real control plane makes of an app. */
const shapes = await serverShapes();
let bed: Bed;
beforeAll(async () => {
  bed = await startBed();
});
afterAll(() => bed.stop());

/**
 * Fields of a real installation that a job file has nothing for; no runner reads them. Plans are of one kind each, so
 * what another kind has is not missing in this one.
 */
const NOT_OURS =
  /\.(created_by_id|runner_job|log_stream|install_action_workflow_id|status_v2|triggered_by_\w+|execution_time|workflow_id|install_workflow_id|component_dependency_ids|references|Refs|config|component|app_branch|state|readme|cli_version|component_ids|permissions|break_glass|policies|secrets|sandbox|input|runner|stack|action_workflow_configs)(\.|\[| )/;

async function problems(operation: OperationName, path: string, runner: Awaited<ReturnType<Bed["runner"]>>) {
  const answer = await runner.call("GET", path);
  expect(answer.status).toBe(200);
  return (shapes.get(operation)?.problemsOf(answer.json) ?? []).filter(
    (problem) => !NOT_OURS.test(`${problem} `) && !NOT_OURS_EITHER.test(problem),
  );
}

/** Of a connection runners read the component and the version of its module. */
const NOT_OURS_EITHER = /^\.component_config_connections\[\]\..* is always there/;

test("an action's run and config have the fields of the real ones, in their order", async () => {
  const runner = await bed.runner("action");
  await openSession(runner, "action-1");
  const job = await submit(bed, ACTION, { runner: runner.id });
  await claim(runner, "action-1");
  const plan = (await runner.call("GET", `/v1/runner-jobs/${job}/plan`)).json;
  const runPath = `/v1/installs/${plan.install_id}/action-workflows/runs/${plan.id}`;
  const run = (await runner.call("GET", runPath)).json;
  const configPath = `/v1/action-workflows/configs/${run.action_workflow_config_id}`;
  expect(await problems("GetInstallActionWorkflowRun", runPath, runner)).toEqual([]);
  expect(await problems("GetActionWorkflowConfig", configPath, runner)).toEqual([]);
});

test("an app's config of a terraform job has the fields that runners read, in their order", async () => {
  const runner = await bed.runner("deploy");
  await openSession(runner, "deploy-1");
  const job = await submitTerraform(bed, runner, "network");
  await claim(runner, "deploy-1");
  const plan = (await runner.call("GET", `/v1/runner-jobs/${job}/plan`)).json;
  const path = `/v1/apps/${plan.app_id}/config/${plan.app_config_id}`;
  expect(await problems("GetRunnerAppConfig", path, runner)).toEqual([]);
});
