import { afterEach, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { recorded } from "./recorded.ts";
import type { Arrived } from "./replay.ts";
import { altered, byStatus, type Line, NOTHING, REAL_WORK, type Scene, SETTINGS, startScene } from "./scene.ts";

let scene: Scene | null = null;
afterEach(async () => {
  await scene?.stop();
  scene = null;
});

const JOB = "/v1/runner-jobs/job0000000000000000tfapply";
const EXECUTION = `${JOB}/executions/runkl71qc7l3l5bud0p4dyktp8`;
/** Workspace of the recorded plans. */
const WORKSPACE = "/v1/terraform-workspaces/tfw8ddt7sae468fa6m2n2987xo";
const finished = ({ method, body }: Arrived) => method === "PATCH" && body.toString().includes('"finished"');
const bodyAt = (route: string) =>
  scene?.arrived.find((one) => `${one.method} ${one.path.split("?")[0]}` === route)?.body.toString() ?? "";

const deploy = (offer: ReturnType<typeof recorded>): readonly Line[] => [
  ["GET /v1/runners/*/jobs?status=in-progress", NOTHING],
  ["GET /v1/runners/*/jobs?group=deploy", offer, NOTHING],
  ["GET /v1/runners/*/jobs?group=any", offer, NOTHING],
  [`POST ${JOB}/executions`, recorded("CreateRunnerJobExecution", "201: body null")],
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
  [`POST ${EXECUTION}/outputs`, recorded("CreateRunnerJobExecutionOutputs", "201")],
  [`GET ${EXECUTION}`, recorded("GetRunnerJobExecution", "200: with result and outputs")],
];
const OFFER = recorded("GetRunnerJobs", "200: group");
const RESULT: Line = [
  `POST ${EXECUTION}/result`,
  recorded("CreateRunnerJobExecutionResult", "201: with compressed contents"),
];
/** The server puts the operation of the plan into the job; only an apply was offered when it was recorded. */
const PLAN_OFFER = altered(OFFER, ['"operation":"apply-plan"', '"operation":"create-apply-plan"']);
const PLAN = recorded("GetRunnerJobPlan", "200: plan written by the server for terraform-deploy create-apply-plan");

test("a terraform plan of a sandbox-mode org stores the made-up state and reports the made-up plan", async () => {
  scene = await startScene([
    ["GET /v1/runners/*/settings", SETTINGS],
    ...deploy(PLAN_OFFER),
    [`GET ${JOB}/plan`, PLAN],
    ["POST /v1/terraform-backend", recorded("UpdateTerraformState", "200: with the held lock id")],
    [`POST ${WORKSPACE}/state-json`, recorded("UpdateTerraformStateJSON", "200: JSON string with base64")],
    RESULT,
  ]);
  await scene.over(finished);
  expect(bodyAt("POST /v1/terraform-backend")).toStartWith('{"format_version":"1.0","terraform_version":"1.8.4"');
  const result = JSON.parse(bodyAt(`POST ${EXECUTION}/result`));
  expect(Object.keys(result)).toEqual(["success", "contents_compressed", "contents_display_compressed"]);
  const contents = Bun.gunzipSync(Buffer.from(result.contents_compressed, "base64url"));
  expect(Buffer.from(contents).toString()).toStartWith("UEsDBBQACAAIAIgy2VoAAAAA");
});

/** In sandbox mode the plan names no repository, because there is none. */
const REAL_PLAN = altered(PLAN, [
  '"Repository":"","LoginServer":""',
  '"Repository":"sources/network","LoginServer":"registry.example.test"',
]);

const MODULE = `
variable "cidr" { type = string }
resource "terraform_data" "network" { input = var.cidr }
output "cidr" { value = terraform_data.network.output }
`;
const withTerraform = {
  find: async () => Bun.which("terraform") ?? "terraform",
  source: async (into: string) => {
    mkdirSync(into, { recursive: true });
    writeFileSync(join(into, "main.tf"), MODULE);
  },
};
const STATE = recorded("GetTerraformCurrentStateData", "204: no state yet");
/** What the server gives to terraform itself; the recorded workspace is locked, written and freed without a question. */
const backend: readonly Line[] = [
  ["GET /v1/terraform-backend", STATE],
  [`POST ${WORKSPACE}/lock`, recorded("LockTerraformWorkspace", "200: free")],
  [`POST ${WORKSPACE}/unlock`, recorded("UnlockTerraformWorkspace", "200: not locked")],
];
const STATE_WRITTEN = "POST /v1/terraform-backend";
const NEWEST = recorded("GetTerraformCurrentStateData", "200: newest revision, raw");
const written = () => altered(NEWEST, [NEWEST.response.body ?? "", latest(STATE_WRITTEN)]);
const latest = (route: string) =>
  scene?.arrived.findLast((one) => `${one.method} ${one.path.split("?")[0]}` === route)?.body.toString() ?? "";
const APP_CONFIG: Line = ["GET /v1/apps/*/config/*", recorded("GetRunnerAppConfig", "200")];

/** A plan job; answers the saved plan as its result carries it. */
async function planned(): Promise<Buffer> {
  const lines = [
    ["GET /v1/runners/*/settings", REAL_WORK],
    ...deploy(PLAN_OFFER),
    APP_CONFIG,
    ...backend,
    RESULT,
  ] as const;
  scene = await startScene([...lines, [`GET ${JOB}/plan`, REAL_PLAN]], withTerraform);
  await scene.over(finished);
  return Buffer.from(JSON.parse(bodyAt(`POST ${EXECUTION}/result`)).contents_compressed, "base64url");
}

test("the real terraform plans against the recorded backend, and the saved plan is the result", async () => {
  const saved = await planned();
  expect(saved.subarray(0, 2).toString()).toBe("PK");
  const config = scene?.arrived.find((one) => one.path.startsWith("/v1/apps/"));
  expect(config?.path).toBe("/v1/apps/appiaj6r456pa0ik8jxyc23qa3/config/appmedkk57p9i4och8u3stvm1d");
  const lock = JSON.parse(bodyAt(`POST ${WORKSPACE}/lock`));
  expect(Object.keys(lock)).toEqual(["ID", "Operation", "Info", "Who", "Version", "Created", "Path"]);
  expect(JSON.parse(bodyAt(`POST ${WORKSPACE}/unlock`)).ID).toBe(lock.ID);
  const packed = Buffer.from(JSON.parse(bodyAt(`POST ${EXECUTION}/result`)).contents_display_compressed, "base64url");
  expect(JSON.parse(Buffer.from(Bun.gunzipSync(packed)).toString()).variables).toEqual({
    cidr: { value: "10.0.0.0/16" },
  });
}, 30_000);

test("the real terraform applies the saved plan: state under its lock, then its display form, then the outputs", async () => {
  const saved = await planned();
  await scene?.stop();
  const contents = ['"apply_plan_contents":""', `"apply_plan_contents":"${saved.toString("base64")}"`] as const;
  scene = await startScene(
    [
      ["GET /v1/runners/*/settings", REAL_WORK],
      ...deploy(OFFER),
      [`GET ${JOB}/plan`, altered(REAL_PLAN, contents)],
      APP_CONFIG,
      // What terraform wrote is what it reads.
      ["GET /v1/terraform-backend", () => (bodyAt(STATE_WRITTEN) === "" ? STATE : written())],
      ["POST /v1/terraform-backend", recorded("UpdateTerraformState", "200: with the held lock id")],
      ...backend.slice(1),
      [`POST ${WORKSPACE}/state-json`, recorded("UpdateTerraformStateJSON", "200: JSON string with base64")],
    ],
    withTerraform,
  );
  await scene.over(finished);
  const lock = JSON.parse(bodyAt(`POST ${WORKSPACE}/lock`));
  const write = scene.arrived.find((one) => one.method === "POST" && one.path.startsWith("/v1/terraform-backend"));
  expect(new URL(write?.path ?? "", "http://x").searchParams.get("ID")).toBe(lock.ID);
  const sent = scene.arrived.find((one) => one.path.includes("/state-json"));
  const display = JSON.parse(Buffer.from(JSON.parse(sent?.body.toString() ?? ""), "base64").toString());
  expect(display.values.outputs.cidr.value).toBe("10.0.0.0/16");
  expect(JSON.parse(bodyAt(`POST ${EXECUTION}/outputs`))).toEqual({ outputs: { cidr: "10.0.0.0/16" } });
}, 30_000);

test("a lock that the real server has for somebody else fails the job, and is not freed", async () => {
  scene = await startScene(
    [
      ["GET /v1/runners/*/settings", REAL_WORK],
      ...deploy(PLAN_OFFER).filter(([route]) => !route.endsWith("/outputs")),
      [`GET ${JOB}/plan`, REAL_PLAN],
      APP_CONFIG,
      ["GET /v1/terraform-backend", STATE],
      [`POST ${WORKSPACE}/lock`, recorded("LockTerraformWorkspace", "400: held, another lock id")],
      // Asked who holds it; the server does not say.
      [`GET ${WORKSPACE}`, recorded("GetTerraformWorkspace", "200: while locked")],
      RESULT,
    ],
    withTerraform,
  );
  await scene.over(({ method, body }) => method === "PATCH" && body.toString().includes('"failed"'));
  expect(scene.arrived.filter((one) => one.path.includes("/unlock"))).toEqual([]);
  expect(JSON.parse(bodyAt(`POST ${EXECUTION}/result`)).error_metadata.message).toContain("lock");
}, 30_000);
