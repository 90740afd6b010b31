import { afterEach, expect, test } from "bun:test";
import { recorded } from "./recorded.ts";
import { altered, byStatus, type Line, NOTHING, REAL_WORK, type Scene, SETTINGS, startScene } from "./scene.ts";

let scene: Scene | null = null;
afterEach(async () => {
  await scene?.stop();
  scene = null;
});

const SEQUENCE = "200: sequence actions-workflow, server workflow running: ";
const OFFER = recorded("GetRunnerJobs", `${SEQUENCE}offered`);
const update = (status: string) => recorded("UpdateRunnerJobExecution", `${SEQUENCE}${status}`);
const step = (nth: number) => {
  const answer = (status: string) => recorded("UpdateInstallActionWorkflowRunStep", `${SEQUENCE}step ${status}`, nth);
  return byStatus({ "in-progress": answer("in-progress"), finished: answer("finished") });
};

const JOB = "/v1/runner-jobs/jobggxthfw10uflh9830raz90n";
const EXECUTION = `${JOB}/executions/run28scm97wxd0mkpfkil7ofhw`;
const [FIRST, SECOND] = ["iarebzs0pd3jojat5cgwoir73p", "iar3nwwdsxwitfep8mpvay4hdn"];
const STEPS = "/v1/installs/inlen9zg8iwe609jhkl8yaugyc/action-workflow-runs/acwbvxbvfx836rof5m9i59rgxn/steps";
/** The server was never asked for this execution by itself; another finished one stands for it. */
const READ_BACK = recorded("GetRunnerJobExecution", "200: with result and outputs");

/** The recorded life of one action run, from its offer to the server's own end of it. */
const life: readonly Line[] = [
  ["GET /v1/runners/*/jobs?status=in-progress", NOTHING],
  ["GET /v1/runners/*/jobs?group=actions", OFFER, NOTHING],
  ["GET /v1/runners/*/jobs?group=any", OFFER, NOTHING],
  [`POST ${JOB}/executions`, recorded("CreateRunnerJobExecution", "201: sequence")],
  [`PUT ${STEPS}/${FIRST}`, step(0)],
  [`PUT ${STEPS}/${SECOND}`, step(1)],
  [`POST ${EXECUTION}/outputs`, recorded("CreateRunnerJobExecutionOutputs", "201: sequence")],
  [`GET ${EXECUTION}`, READ_BACK],
];
const PLAN = recorded("GetRunnerJobPlan", "200: sequence actions-workflow");
const PATCHES: Line = [
  `PATCH ${EXECUTION}`,
  byStatus({
    initializing: update("initializing"),
    "in-progress": update("in-progress"),
    "cleaning-up": update("cleaning-up"),
    finished: update("finished"),
  }),
];
const finished = ({ method, body }: { method: string; body: Buffer }) =>
  method === "PATCH" && body.toString().includes("finished");

/** As 2.18 has it, but that the plan is read before its step is announced; and the reading back at the end. */
const STORY = [
  "POST /executions",
  "GET /plan",
  "PATCH /execution initializing",
  "PATCH /execution in-progress",
  `PUT /steps/${FIRST} finished`,
  `PUT /steps/${SECOND} finished`,
  "PATCH /execution in-progress",
  "POST /execution/outputs",
  "PATCH /execution cleaning-up",
  "PATCH /execution finished",
  "GET /execution",
];

/** The begin of a step is left out where its end was there before it could be said. */
const withoutBegins = (story: readonly string[]) => story.filter((line) => !/^PUT .* in-progress$/.test(line));

test("an action of a sandbox-mode org is played through, in the recorded order", async () => {
  scene = await startScene([["GET /v1/runners/*/settings", SETTINGS], ...life, [`GET ${JOB}/plan`, PLAN], PATCHES]);
  await scene.over(finished);
  expect(withoutBegins(scene.story())).toEqual(STORY);
});

/** The recorded plan with inline steps and without a repository, as one of the run that was recorded whole. */
const INLINE_PLAN = altered(
  recorded("GetRunnerJobPlan", "200: plan written by the server for an action with inline steps"),
  ["iarv0fbxkrka0t08a6pyr5e7f1", "iarvs6oabnheiizhoqd5wgrflk"],
  ["iard6wmpsmczqh2x2qpio4yuw8", FIRST],
  ["acstul171069xc74gys9h04khe", "acsqnxyxlrrvrhw30s1pixwoqn"],
  ["iar00l8xhgzqjq5hhhoq0k8u2b", SECOND],
  ["acsedddj53mnrfxq4b900qqq7a", "acsisyges31p85mjcrzzm8d0nx"],
);
const DOCUMENTS: readonly Line[] = [
  ["GET /v1/installs/*/action-workflows/runs/*", recorded("GetInstallActionWorkflowRun", `${SEQUENCE}run`)],
  ["GET /v1/action-workflows/configs/*", recorded("GetActionWorkflowConfig", "200: sequence")],
];

test("an action with inline steps and empty repositories, which the Go runner fails, really runs", async () => {
  scene = await startScene([
    ["GET /v1/runners/*/settings", REAL_WORK],
    ...life,
    ...DOCUMENTS,
    [`GET ${JOB}/plan`, INLINE_PLAN],
    PATCHES,
  ]);
  await scene.over(finished);
  expect(withoutBegins(scene.story())).toEqual(STORY);
  const outputs = scene.arrived.find((one) => one.path === `${EXECUTION}/outputs`);
  expect(JSON.parse(outputs?.body.toString() ?? "")).toEqual({
    outputs: { inline_out: 1, key: "value", steps: { first: { inline_out: 1 }, second: { key: "value" } } },
  });
  const run = scene.arrived.find((one) => one.path.includes("/action-workflows/runs/"));
  expect(run?.path).toBe("/v1/installs/inlen9zg8iwe609jhkl8yaugyc/action-workflows/runs/iarvs6oabnheiizhoqd5wgrflk");
});

test("a cancel that the server shows stops the script, and the server is told so", async () => {
  const sleeping = altered(INLINE_PLAN, ["echo inline", "sleep 300; echo inline"]);
  const cancelled = recorded("GetRunnerJobExecution", "200: after cancel");
  scene = await startScene([
    ["GET /v1/runners/*/settings", REAL_WORK],
    [`GET ${JOB}`, recorded("GetRunnerJob", "200: after reservation"), recorded("GetRunnerJob", "200: after cancel")],
    [`GET ${EXECUTION}`, cancelled],
    ["PUT /v1/installs/*/action-workflow-runs/*/steps/*", recorded("UpdateInstallActionWorkflowRunStep", "200")],
    [`PATCH ${EXECUTION}`, recorded("UpdateRunnerJobExecution", "200: late finished after cancel")],
    ...life.filter(([route]) => /jobs\?|POST .*executions$/.test(route)),
    ...DOCUMENTS,
    [`GET ${JOB}/plan`, sleeping],
  ]);
  await scene.over(({ method, body }) => method === "PATCH" && body.toString().includes("cancelled"));
  expect(scene.story().slice(-3)).toEqual([
    "PATCH /execution cleaning-up",
    "PATCH /execution cancelled",
    "GET /execution",
  ]);
});

test("work that outlasts its timeout is reported as timed-out before the server gives it up", async () => {
  const word = recorded("UpdateRunnerJobExecution", "200: unknown value");
  const offer = altered(OFFER, ['"execution_timeout":360000000000', '"execution_timeout":20000000000']);
  scene = await startScene([
    ["GET /v1/runners/*/settings", REAL_WORK],
    ["GET /v1/runners/*/jobs?status=in-progress", NOTHING],
    ["GET /v1/runners/*/jobs?group=actions", offer, NOTHING],
    ["GET /v1/runners/*/jobs?group=any", offer, NOTHING],
    ["PUT /v1/installs/*/action-workflow-runs/*/steps/*", recorded("UpdateInstallActionWorkflowRunStep", "200")],
    [`PATCH ${EXECUTION}`, word],
    [`GET ${EXECUTION}`, READ_BACK],
    [`POST ${EXECUTION}/result`, recorded("CreateRunnerJobExecutionResult", "201: error result without contents (")],
    ...life.filter(([route]) => /POST .*executions$/.test(route)),
    ...DOCUMENTS,
    [`GET ${JOB}/plan`, altered(INLINE_PLAN, ["echo inline", "sleep 300; echo inline"])],
  ]);
  await scene.over(({ method, body }) => method === "PATCH" && body.toString().includes("timed-out"));
  const at = (what: string) => scene?.arrived.findIndex((one) => `${one.method} ${one.path}`.includes(what)) ?? -1;
  const ended = scene.arrived.findIndex(({ method, body }) => method === "PATCH" && body.includes("timed-out"));
  expect(at("/result")).toBeGreaterThan(-1);
  expect(ended).toBeGreaterThan(at("/result"));
});
