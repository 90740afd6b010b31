import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type GoBed, type Identity, startGoBed } from "./lib/bed.ts";
import type { GoTransport } from "./lib/http.ts";

/** Error bodies and types as the real server sends them (nuon-runner-api.md 1.6, nuon-server-examples.md). */
let bed: GoBed;
let identity: Identity;
let transport: GoTransport;
beforeAll(async () => {
  bed = await startGoBed();
  identity = await bed.identity();
  transport = bed.transport();
});
afterAll(() => bed.end());

async function ask(
  method: string,
  path: string,
  options: { token?: string | null; auth?: string; body?: string } = {},
) {
  const token = options.token === undefined ? identity.token : options.token;
  const authorization = options.auth ?? (token === null ? undefined : `Bearer ${token}`);
  const answer = await transport.send({
    method,
    path,
    headers: {
      Accept: "application/json",
      ...(authorization === undefined ? {} : { Authorization: authorization }),
      ...(options.body === undefined ? {} : { "Content-Type": "application/json" }),
    },
    ...(options.body === undefined ? {} : { body: Buffer.from(options.body) }),
  });
  const type = answer.headers.get("content-type")?.split(";")[0];
  return { status: answer.status, type, text: answer.body.toString() };
}

const JSON_TYPE = "application/json";
const notFound = (error: string) => ({
  status: 404,
  type: JSON_TYPE,
  text: JSON.stringify({ error: `${error} record not found`, user_error: true, description: "not found" }),
});
const settings = () => `/v1/runners/${identity.id}/settings`;

describe("401", () => {
  test("without credentials", async () => {
    expect(await ask("GET", settings(), { token: null })).toEqual({
      status: 401,
      type: JSON_TYPE,
      text: '{"error":"auth token was empty","user_error":true,"description":"Please make sure you set the -H Authorization:Bearer <token> header or token query param"}',
    });
  });

  test("for a header that is not Bearer, before the query parameter is looked at", async () => {
    expect(await ask("GET", `${settings()}?token=${identity.token}`, { auth: `Token ${identity.token}` })).toEqual({
      status: 401,
      type: JSON_TYPE,
      text: '{"error":"Authorization header format must be Bearer {token}","user_error":true,"description":"Please make sure you set the -H Authorization:Bearer token header"}',
    });
  });

  test("for a token that nobody has", async () => {
    const answer = await ask("GET", settings(), { token: "tok00000000000000000000000" });
    expect(answer).toMatchObject({ status: 401, type: JSON_TYPE });
    expect(JSON.parse(answer.text)).toEqual({
      error: expect.stringContaining("unable to validate token"),
      user_error: true,
      description: "Please make sure the token is valid, and not expired.",
    });
  });

  test("for a token that was rotated", async () => {
    const other = await bed.identity();
    await bed.api("POST", `/runners/${other.id}/rotate`, {});
    expect((await ask("GET", `/v1/runners/${other.id}/settings`, { token: other.token })).status).toBe(401);
  });
});

describe("404 record not found", () => {
  const JOB = "/v1/runner-jobs/job00000000000000000000000";
  const RUN = `${JOB}/executions/run00000000000000000000000`;
  const TFW = "/v1/terraform-workspaces/tfw00000000000000000000000";
  const noJob = "unable to get runner job: unable to get runner job:";
  const noRun = "unable to get runner job execution: unable to get runner job execution:";
  const cases: readonly (readonly [method: string, path: string, body: string | undefined, error: string])[] = [
    ["GET", "/v1/runners/run00000000000000000000000/settings", undefined, "unable to get runner:"],
    [
      "POST",
      "/v1/runners/run00000000000000000000000/heart-beats",
      '{"alive_time":1}\n',
      "unable to get runner: unable to get runner:",
    ],
    ["GET", JOB, undefined, noJob],
    ["PATCH", JOB, '{"status":"finished"}\n', noJob],
    ["GET", `${JOB}/plan`, undefined, noJob],
    ["POST", `${JOB}/executions`, "null\n", noJob],
    ["PATCH", RUN, '{"status":"finished"}\n', noRun],
    ["POST", `${RUN}/result`, '{"success":true}\n', noRun],
    ["POST", `${RUN}/outputs`, '{"outputs":null}\n', "unable to get runner job execution:"],
    ["POST", `${TFW}/lock`, '{"ID":"a"}', "unable to lock workspace:"],
    ["POST", `${TFW}/unlock`, "{}\n", "unable to unlock workspace:"],
    ["POST", `${TFW}/state-json`, '"e30="\n', "unable to update state json:"],
    ["GET", "/v1/apps/app1/config/apc1", undefined, "unable to get app config:"],
    [
      "GET",
      "/v1/action-workflows/configs/acc1",
      undefined,
      "unable to get action workflow config acc1: unable to get action workflow config:",
    ],
    [
      "GET",
      "/v1/installs/inl1/action-workflows/runs/iar1",
      undefined,
      "unable to get install action workflow run by id iar1: unable to get install action workflow runs:",
    ],
    [
      "PUT",
      "/v1/installs/inl1/action-workflow-runs/acw1/steps/iar1",
      '{"status":"finished"}\n',
      "unable to update install action workflow run step: no step found: iar1",
    ],
  ];
  for (const [method, path, body, error] of cases) {
    test(`${method} ${path}`, async () => {
      expect(await ask(method, path, body === undefined ? {} : { body })).toEqual(notFound(error));
    });
  }

  test("the plan of a job that has none", async () => {
    await bed.sdk(identity).jobs(identity.id, "operations");
    const job = await bed.submit({ type: "noop" }, identity.id);
    const answer = await ask("GET", `/v1/runner-jobs/${job}/plan`);
    expect(answer).toEqual(notFound("unable to get runner job: unable to get job plan:"));
    await bed.api("POST", `/jobs/${job}/cancel`, {});
  });
});

describe("404 page not found, as plain text", () => {
  for (const [method, path] of [
    ["GET", "/v1/nothing"],
    ["GET", "/nothing"],
    ["PUT", "/v1/runners/ID/settings"],
    ["DELETE", "/v1/runners/ID/jobs"],
    ["GET", "/v1/runners/ID/heart-beats"],
    ["PUT", "/v1/terraform-backend"],
    ["POST", "/v1/log-streams//logs"],
  ] as const) {
    test(`${method} ${path}`, async () => {
      const body = method === "GET" || method === "DELETE" ? {} : { body: "{}\n" };
      expect(await ask(method, path.replace("ID", identity.id), body)).toEqual({
        status: 404,
        type: "text/plain",
        text: "404 page not found",
      });
    });
  }
});

describe("400", () => {
  test("JSON under text/plain for a body that is not JSON", async () => {
    const refused = { status: 400, type: "text/plain" };
    for (const [method, path] of [
      ["POST", `/v1/runners/${identity.id}/heart-beats`],
      ["PATCH", "/v1/runner-jobs/job1/executions/run1"],
      ["PATCH", "/v1/runner-jobs/job1"],
    ] as const) {
      const answer = await ask(method, path, { body: '{"status"' });
      expect(answer).toMatchObject(refused);
      expect(JSON.parse(answer.text)).toMatchObject({ error: "invalid request format", user_error: true });
    }
  });

  test("for a limit that is no number", async () => {
    expect(await ask("GET", `/v1/runners/${identity.id}/jobs?group=deploy&limit=abc`)).toEqual({
      status: 400,
      type: JSON_TYPE,
      text: '{"error":"invalid limit abc: strconv.Atoi: parsing \\"abc\\": invalid syntax","user_error":true,"description":"invalid limit"}',
    });
  });

  test("for a state without workspace_id", async () => {
    expect(await ask("POST", "/v1/terraform-backend", { body: "{}" })).toEqual({
      status: 400,
      type: JSON_TYPE,
      text: '{"error":"invalid request","user_error":true,"description":"invalid request input: workspace_id was not set"}',
    });
  });
});

test("the jobs list takes what the real server takes: no group, status, limit, page", async () => {
  for (const query of ["", "?group=any", "?group=deploy&status=available", "?group=deploy&limit=5&offset=0&page=1"]) {
    expect(await ask("GET", `/v1/runners/${identity.id}/jobs${query}`)).toEqual({
      status: 200,
      type: JSON_TYPE,
      text: "[]",
    });
  }
});
