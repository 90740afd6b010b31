import { afterEach, expect, test } from "bun:test";
import { recorded } from "./recorded.ts";
import type { Arrived } from "./replay.ts";
import { altered, byStatus, type Line, NOTHING, type Scene, SETTINGS, startScene } from "./scene.ts";

let scene: Scene | null = null;
afterEach(async () => {
  await scene?.stop();
  scene = null;
});

const JOB = "/v1/runner-jobs/job0000000000000000tfapply";
const EXECUTION = `${JOB}/executions/runkl71qc7l3l5bud0p4dyktp8`;
const RESERVE = `POST ${JOB}/executions`;
/** Three deploys, newest first: the oldest, the terraform job, is the one to take. */
const OFFER = recorded("GetRunnerJobs", "200: group");
const finished = ({ method, body }: Arrived) => method === "PATCH" && body.toString().includes('"finished"');
const reservations = () => scene?.arrived.filter((one) => `${one.method} ${one.path}` === RESERVE) ?? [];

const offered: readonly Line[] = [
  ["GET /v1/runners/*/settings", SETTINGS],
  ["GET /v1/runners/*/jobs?status=in-progress", NOTHING],
  ["GET /v1/runners/*/jobs?group=deploy", OFFER, NOTHING],
  ["GET /v1/runners/*/jobs?group=any", OFFER, NOTHING],
];
const work: readonly Line[] = [
  [`GET ${JOB}/plan`, recorded("GetRunnerJobPlan", "200: text/plain")],
  [
    `PATCH ${EXECUTION}`,
    byStatus({
      initializing: recorded("UpdateRunnerJobExecution", "200: initializing"),
      "in-progress": recorded("UpdateRunnerJobExecution", "200: in-progress"),
      "cleaning-up": recorded("UpdateRunnerJobExecution", "200: cleaning-up"),
      finished: recorded("UpdateRunnerJobExecution", "200: finished"),
      failed: recorded("UpdateRunnerJobExecution", "200: unknown value"),
    }),
  ],
  [`GET ${EXECUTION}`, recorded("GetRunnerJobExecution", "200: with result and outputs")],
];
const RESERVED = recorded("CreateRunnerJobExecution", "201: body null");
const IN_PROGRESS = recorded("GetRunnerJob", "200: after reservation");
const OUTPUTS: Line = [`POST ${EXECUTION}/outputs`, recorded("CreateRunnerJobExecutionOutputs", "201")];

test("a reservation whose answer is lost is recognised by its nonce and never sent twice", async () => {
  const nonce = () => reservations()[0]?.headers["x-nuon-client-version"] ?? "";
  const executions = recorded("GetRunnerJobExecutions", "200");
  scene = await startScene([
    ...offered,
    [RESERVE, "cut"],
    [`GET ${JOB}`, IN_PROGRESS],
    [`GET ${JOB}/executions`, () => altered(executions, ["runner:0.1.0", nonce()])],
    ...work,
    OUTPUTS,
  ]);
  await scene.over(finished);
  expect(reservations()).toHaveLength(1);
  expect(nonce()).toMatch(/^runner:0\.1\.0\/.+/);
});

test("a reservation that the server answers by cancelling the job is not sent again, and nothing runs", async () => {
  scene = await startScene([
    ...offered,
    [RESERVE, recorded("CreateRunnerJobExecution", "500: second execution")],
    [`GET ${JOB}`, recorded("GetRunnerJob", "200: cancelled by the second reservation")],
    [`GET ${JOB}/executions`, recorded("GetRunnerJobExecutions", "200")],
  ]);
  await scene.over(({ path }) => path === `${JOB}/executions`);
  expect(reservations()).toHaveLength(1);
  expect(scene.story()).toEqual(["POST /executions", "GET /executions"]);
});

test("a job that is gone when it is reserved is left alone", async () => {
  scene = await startScene([
    ...offered,
    [RESERVE, recorded("CreateRunnerJobExecution", "404: unknown job")],
    [`GET ${JOB}`, recorded("GetRunnerJob", "404")],
  ]);
  await scene.over(({ path, method }) => method === "GET" && path === JOB);
  expect(reservations()).toHaveLength(1);
});

test("outputs that the server has already are not an error of the job", async () => {
  const duplicate = recorded("CreateRunnerJobExecutionOutputs", "400: repeat");
  scene = await startScene([...offered, [RESERVE, RESERVED], ...work, [`POST ${EXECUTION}/outputs`, duplicate]]);
  await scene.over(finished);
  expect(scene.story().filter((line) => line.endsWith("/outputs"))).toHaveLength(1);
});

test("outputs refused because the runner is of another org make the job failed", async () => {
  const refused = recorded("CreateRunnerJobExecutionOutputs", "500: token of a runner of another org");
  scene = await startScene([...offered, [RESERVE, RESERVED], ...work, [`POST ${EXECUTION}/outputs`, refused]]);
  await scene.over(({ method, body }) => method === "PATCH" && body.toString().includes('"failed"'));
  expect(scene.said.join("\n")).toContain("does not take the outputs");
}, 30_000);

test("an execution that the server does not know in the end is said, not taken for done", async () => {
  const gone: Line = [`GET ${EXECUTION}`, recorded("GetRunnerJobExecution", "404")];
  scene = await startScene([...offered, [RESERVE, RESERVED], gone, ...work.slice(0, 2), OUTPUTS]);
  await scene.over(finished);
  expect(scene.said.join("\n")).toContain("the control plane does not know it any more");
});

test("a log stream that the server does not know holds up nothing", async () => {
  const unknown: Line = ["POST /v1/log-streams/*/logs", recorded("LogStreamWriteLogs", "404: unknown stream")];
  scene = await startScene([...offered, [RESERVE, RESERVED], ...work, OUTPUTS, unknown]);
  await scene.over(finished);
});
