import { afterEach, expect, test } from "bun:test";
import { type Recorded, recorded } from "./recorded.ts";
import { altered, byStatus, type Line, NOTHING, type Scene, SETTINGS, startScene } from "./scene.ts";

let scene: Scene | null = null;
afterEach(async () => {
  await scene?.stop();
  scene = null;
});

const NOOP = "/v1/runner-jobs/job00000000000000000000nop";
const SHUT_DOWN = "/v1/runner-jobs/job000000000000000shutdown";
const [FIRST, SECOND] = ["run5mgz174wu84mc8kizw34gc7", "runjjdpeaj94sudoh3aoq83of9"];
const reserved = (job: string) =>
  scene?.arrived.some(({ method, path }) => method === "POST" && path === `${job}/executions`);

/** Both jobs until one is taken, as the server lists only what is available. */
function lines(kind: "graceful" | "force"): readonly Line[] {
  const word = (one: Recorded) => altered(one, ['"shutdown_type":"graceful"', `"shutdown_type":"${kind}"`]);
  const both = word(recorded("GetRunnerJobs", "200: operations"));
  const shutDown = word(recorded("GetRunnerJobs", "200: offset"));
  const available = () => (!reserved(NOOP) ? both : reserved(SHUT_DOWN) ? NOTHING : shutDown);
  const patched = byStatus({
    initializing: recorded("UpdateRunnerJobExecution", "200: initializing"),
    "in-progress": recorded("UpdateRunnerJobExecution", "200: in-progress"),
    "cleaning-up": recorded("UpdateRunnerJobExecution", "200: cleaning-up"),
    finished: recorded("UpdateRunnerJobExecution", "200: finished"),
  });
  const life = (job: string, execution: string, created: Recorded): readonly Line[] => [
    [`POST ${job}/executions`, created],
    [`PATCH ${job}/executions/${execution}`, patched],
    [
      `POST ${job}/executions/${execution}/outputs`,
      recorded("CreateRunnerJobExecutionOutputs", "201: outputs key missing"),
    ],
    [`GET ${job}/executions/${execution}`, recorded("GetRunnerJobExecution", "200: after the late finished")],
  ];
  return [
    ["GET /v1/runners/*/settings", SETTINGS],
    ["GET /v1/runners/*/jobs?status=in-progress", NOTHING],
    ["GET /v1/runners/*/jobs?group=operations", available],
    ["GET /v1/runners/*/jobs?group=any", available],
    ...life(NOOP, FIRST, recorded("CreateRunnerJobExecution", "201: no body at all")),
    ...life(SHUT_DOWN, SECOND, recorded("CreateRunnerJobExecution", "201: token of a runner of another org: reserve")),
  ];
}
const endOf = (job: string) => scene?.arrived.filter(({ method, path }) => method === "PATCH" && path === job) ?? [];

test("jobs of the operations group have no plan and need none; a graceful shut-down ends the process, not its job", async () => {
  scene = await startScene(lines("graceful"));
  expect(await scene.ended).toBe(0);
  await scene.over(() => true);
  expect(scene.arrived.filter((one) => one.path.endsWith("/plan"))).toEqual([]);
  expect(endOf(SHUT_DOWN)).toEqual([]);
  expect(scene.said.join("\n")).toContain("a shut-down job");
});

test("a forced shut-down reports itself, ends its job, which nobody else would, and then the process", async () => {
  const patch: Line = [`PATCH ${SHUT_DOWN}`, recorded("UpdateRunnerJob", "200: finished")];
  scene = await startScene([...lines("force"), patch]);
  expect(await scene.ended).toBe(0);
  await scene.over(() => true);
  expect(endOf(SHUT_DOWN).map((one) => JSON.parse(one.body.toString()))).toEqual([{ status: "finished" }]);
  expect(scene.story().at(-1)).toBe("PATCH  finished");
});
