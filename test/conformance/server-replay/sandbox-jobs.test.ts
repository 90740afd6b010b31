import { afterEach, describe, expect, test } from "bun:test";
import { RECORDED, type Recorded, recorded } from "./recorded.ts";
import type { Arrived } from "./replay.ts";
import { byStatus, type Line, NOTHING, type Scene, SETTINGS, startScene } from "./scene.ts";

let scene: Scene | null = null;
afterEach(async () => {
  await scene?.stop();
  scene = null;
});

/** Jobs that the server's own workflows made, in an org in sandbox mode, and that the real Go runner worked. */
const WRITTEN = "200: plan written by the server for ";
const KINDS = RECORDED.filter((one) => one.note.startsWith(WRITTEN) && one.note.endsWith("(org in sandbox mode)"))
  .map((one) => one.note.slice(WRITTEN.length, -" (org in sandbox mode)".length))
  .filter((kind) => !kind.startsWith("actions-workflow"));

/** The job as the list had it before anybody took it. */
function offerOf(job: Recorded): Recorded {
  const { executions: _, outputs, outputs_json, execution_count, ...rest } = JSON.parse(job.response.body ?? "");
  const body = JSON.stringify([{ ...rest, status: "available" }]);
  const { "Content-Length": __, ...headers } = job.response.headers;
  return { ...job, response: { ...job.response, headers, body } };
}

const EXECUTION = "/v1/runner-jobs/*/executions/*";
const life: readonly Line[] = [
  ["POST /v1/runner-jobs/*/executions", recorded("CreateRunnerJobExecution", "201: body null")],
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
const STATE: readonly Line[] = [
  ["POST /v1/terraform-backend", recorded("UpdateTerraformState", "200: with the held lock id")],
  ["POST /v1/terraform-workspaces/*/state-json", recorded("UpdateTerraformStateJSON", "200: JSON string with base64")],
];
const RESULT: Line = [
  `POST ${EXECUTION}/result`,
  recorded("CreateRunnerJobExecutionResult", "201: with compressed contents"),
];
const ended = ({ method, body }: Arrived) => method === "PATCH" && /"(finished|failed)"/.test(body.toString());

describe("a job that the real server made in sandbox mode is reported as the Go runner reported it", () => {
  for (const kind of KINDS) {
    test(kind, async () => {
      const job = recorded("GetRunnerJob", `200: job of type ${kind} after`);
      const { group, outputs } = JSON.parse(job.response.body ?? "");
      const plan = recorded("GetRunnerJobPlan", `${WRITTEN}${kind}`);
      const made = JSON.parse(plan.response.body ?? "").sandbox_mode;
      const contents: string = (made.terraform ?? made.helm ?? made.kubernetes_manifest)?.plan_contents ?? "";
      const offer = offerOf(job);
      scene = await startScene(
        [
          ["GET /v1/runners/*/settings", SETTINGS],
          ["GET /v1/runners/*/jobs?status=in-progress", NOTHING],
          [`GET /v1/runners/*/jobs?group=${group}`, offer, NOTHING],
          ["GET /v1/runners/*/jobs?group=any", offer, NOTHING],
          ["GET /v1/runner-jobs/*/plan", plan],
          ...life,
          ...(made.terraform ? STATE : []),
          ...(contents === "" ? [] : [RESULT]),
        ],
        { mode: "all" },
      );
      await scene.over(ended);
      const sent = (part: string) => scene?.arrived.find((one) => one.path.endsWith(part))?.body.toString() ?? "null";
      expect(JSON.parse(sent("/outputs"))).toEqual({ outputs: outputs ?? {} });
      if (contents === "") return;
      const result = JSON.parse(sent("/result"));
      const unpacked = Bun.gunzipSync(Buffer.from(result.contents_compressed, "base64url"));
      expect(Buffer.from(unpacked).toString()).toBe(contents);
      expect(result.success).toBe(made.terraform ? true : undefined);
    });
  }
});

test("all kinds of jobs that were recorded so are played", () => {
  expect(KINDS).toHaveLength(12);
});
