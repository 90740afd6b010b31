import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  ACTION,
  type Bed,
  claim,
  complete,
  openSession,
  type RunnerClient,
  startBed,
  submit,
} from "./runner-api-bed.ts";

/** An exact plan keeps its submitter's ids, which may be those of a job that was: whoever works on it finds its own documents. */
const INSTANCE = "ins-exact";
let bed: Bed;
let runner: RunnerClient;
beforeAll(async () => {
  bed = await startBed();
  runner = await bed.runner("exact");
  await openSession(runner, INSTANCE);
});
afterAll(() => bed.stop());

const granted = async () => (await claim(runner, INSTANCE)).json.claims[0];
const steps = async (job: string) =>
  (await bed.admin("GET", `/jobs/${job}`)).json.events
    .map(({ what }: { what: string }) => what)
    .filter((what: string) => what.startsWith("step:"));
/** What a runner that speaks the baseline asks for, and says, by the plan's ids. */
const configOf = async (grant: { documents: { action_run: { action_workflow_config_id: string } } }) =>
  (await runner.call("GET", `/v1/action-workflows/configs/${grant.documents.action_run.action_workflow_config_id}`))
    .json;
const began = (step: string) =>
  runner.call("PUT", `/v1/installs/x/action-workflow-runs/x/steps/${step}`, { status: "in-progress" });

test("a plan copied from a job that has ended has documents and steps of its own; a retry keeps all its ids", async () => {
  const first = await submit(bed, ACTION, { runner: runner.id });
  const original = await granted();
  await complete(runner, INSTANCE, original);

  const plan = JSON.parse(original.plan);
  plan.steps[0].attrs = { ...plan.steps[0].attrs, "step.name": "changed" };
  const copy = await submit(bed, { type: "actions-workflow", plan }, { runner: runner.id });
  const taken = await granted();
  expect([taken.job.id, taken.documents.action_run.id]).toEqual([copy, original.documents.action_run.id]);
  expect((await configOf(taken)).steps[0].name).toBe("changed");
  expect((await began(plan.steps[0].run_id)).status).toBe(200);
  expect([await steps(first), await steps(copy)]).toEqual([[], ["step:changed"]]);
  await complete(runner, INSTANCE, taken, { status: "failed", reason: "sick" });

  const again = (await bed.admin("POST", `/jobs/${copy}/retry`)).json.job;
  expect(again).not.toBe(copy);
  const retried = await granted();
  expect(retried.job.id).toBe(again);
  expect(JSON.parse(retried.plan)).toEqual(plan);
  expect(retried.documents).toEqual(taken.documents);
  expect((await configOf(retried)).steps[0].name).toBe("changed");
  await began(plan.steps[0].run_id);
  expect([await steps(copy), await steps(again)]).toEqual([["step:changed"], ["step:changed"]]);
  await complete(runner, INSTANCE, retried);
});

test("to a runner that does not work on it the documents of an exact plan do not exist", async () => {
  const plan = { id: "iarexact1", install_id: "inl1", steps: [{ run_id: "iasexact1", interpolated_command: "true" }] };
  await submit(bed, { type: "actions-workflow", plan }, { runner: runner.id });
  const grant = await granted();
  const other = await bed.runner("other");
  const ask = (by: RunnerClient) => by.call("GET", "/v1/installs/inl1/action-workflows/runs/iarexact1");
  expect([(await ask(runner)).status, (await ask(other)).status]).toEqual([200, 404]);
  await complete(runner, INSTANCE, grant);
  expect((await ask(runner)).status).toBe(404);
});
