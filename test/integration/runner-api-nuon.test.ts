import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { encodeLogsRequest } from "../../internal/protocol/otlp.ts";
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

/** The checklist of nuon-runner-api.md 12.1: what the unmodified Go runner sends, and what it is content with. */
let bed: Bed;
beforeAll(async () => {
  bed = await startBed();
});
afterAll(() => bed.stop());

let names = 0;
const goRunner = () => bed.runner(`go-${names++}`);
const poll = (runner: RunnerClient, group: string) =>
  runner.call("GET", `/v1/runners/${runner.id}/jobs?group=${group}`);
const show = async (job: string) => (await bed.admin("GET", `/jobs/${job}`)).json;

async function reserved(runner: RunnerClient, file: Record<string, unknown> = NOOP, group = "operations") {
  await poll(runner, group);
  const job = await submit(bed, file, { runner: runner.id });
  const [offered] = (await poll(runner, group)).json;
  const execution = await runner.call("POST", `/v1/runner-jobs/${job}/executions`, null, {
    "x-nuon-client-version": "runner:1.2.3",
  });
  const path = `/v1/runner-jobs/${job}/executions/${execution.json.id}`;
  return { job, offered, execution, path, patch: (status: string) => runner.call("PATCH", path, { status }) };
}

test("settings are compact JSON with everything without which the Go runner does not start", async () => {
  const runner = await goRunner();
  const answer = await runner.call("GET", `/v1/runners/${runner.id}/settings?token=x`);
  expect(answer.headers.get("content-type")).toContain("application/json");
  expect(answer.text).not.toContain('": ');
  expect(answer.json).toMatchObject({ heart_beat_timeout: 5_000_000_000, logging_level: "INFO" });
  expect(typeof answer.json.metadata).toBe("object");
  expect(answer.json.metadata).not.toBeNull();
});

describe("authentication", () => {
  test("takes the bearer header and ?token=, and says what is wrong as the real server does", async () => {
    const runner = await goRunner();
    const path = `${bed.url}/v1/runners/${runner.id}/settings`;
    expect((await fetch(`${path}?token=${runner.token}`)).status).toBe(200);
    const none = await fetch(path);
    expect(none.status).toBe(401);
    expect(await none.json()).toMatchObject({ error: "auth token was empty", user_error: true });
    const odd = await fetch(`${path}?token=${runner.token}`, { headers: { authorization: "Token abc" } });
    expect(await odd.json()).toMatchObject({ error: "Authorization header format must be Bearer {token}" });
  });

  test("lets a token reach its own jobs only", async () => {
    const mine = await goRunner();
    const theirs = await goRunner();
    const { job, path } = await reserved(mine);
    for (const [method, target] of [
      ["GET", `/v1/runner-jobs/${job}`],
      ["GET", `/v1/runner-jobs/${job}/plan`],
      ["POST", `/v1/runner-jobs/${job}/executions`],
      ["PATCH", path],
      ["POST", `${path}/result`],
      ["GET", `/v1/runners/${mine.id}/jobs?group=any`],
    ] as const) {
      const answer = await theirs.call(method, target, method === "GET" ? undefined : {});
      expect({ target, status: answer.status }).toEqual({ target, status: 404 });
    }
  });
});

describe("a job of the Go runner", () => {
  test("goes from poll to finished, and the server finishes it from the execution's status", async () => {
    const runner = await goRunner();
    const { job, offered, execution, path, patch } = await reserved(runner);
    expect(offered).toMatchObject({ id: job, status: "available", type: "noop", group: "operations" });
    expect(offered.execution_timeout).toBeGreaterThan(0);
    expect(offered.log_stream_id).toStartWith("log");
    expect(execution.status).toBe(201);
    expect(execution.json).toMatchObject({ status: "pending", metadata: { "client.version": "runner:1.2.3" } });
    expect((await runner.call("GET", `/v1/runner-jobs/${job}`)).json.status).toBe("in-progress");
    for (const status of ["initializing", "initializing", "in-progress"])
      expect((await patch(status)).status).toBe(200);
    expect(await runner.call("POST", `${path}/outputs`, { outputs: { answer: 42 } })).toMatchObject({ status: 201 });
    expect((await patch("cleaning-up")).json.status).toBe("cleaning-up");
    expect((await patch("finished")).json.status).toBe("finished");
    const doc = (await runner.call("GET", `/v1/runner-jobs/${job}`)).json;
    expect(doc).toMatchObject({ status: "finished", execution_count: 1, outputs: { answer: 42 } });
    expect((await show(job)).outputs).toEqual({ answer: 42 });
  });

  test("is reserved once: the loser gets 409 and changes nothing", async () => {
    const runner = await goRunner();
    const { job } = await reserved(runner);
    const loser = await runner.call("POST", `/v1/runner-jobs/${job}/executions`, null);
    expect(loser.status).toBe(409);
    expect(loser.json.user_error).toBe(true);
    const doc = (await runner.call("GET", `/v1/runner-jobs/${job}`)).json;
    expect(doc).toMatchObject({ status: "in-progress", execution_count: 1 });
  });

  test("takes eleven equal PATCHes as one", async () => {
    const runner = await goRunner();
    const { job, patch } = await reserved(runner);
    const answers = await Promise.all(Array.from({ length: 11 }, () => patch("finished")));
    expect(answers.map((answer) => answer.status)).toEqual(Array.from({ length: 11 }, () => 200));
    const events = (await show(job)).events.map((event: { what: string }) => event.what);
    expect(events.filter((what: string) => what === "finished")).toHaveLength(1);
  });

  test("that was cancelled stays cancelled whatever comes late", async () => {
    const runner = await goRunner();
    const { job, patch } = await reserved(runner);
    await bed.admin("POST", `/jobs/${job}/cancel`, {});
    expect((await runner.call("GET", `/v1/runner-jobs/${job}`)).json.status).toBe("cancelled");
    expect((await patch("finished")).status).toBe(200);
    const doc = await show(job);
    expect(doc.status).toBe("cancelled");
    expect(doc.events.map((event: { what: string }) => event.what)).toContain("refused:progress");
  });

  test("keeps error results and repeated reports", async () => {
    const runner = await goRunner();
    const { job, path, patch } = await reserved(runner);
    const failed = { error_metadata: { step: "execute", message: "it broke\nbadly" } };
    expect(await runner.call("POST", `${path}/result`, failed)).toMatchObject({ status: 201, text: "null" });
    expect(await runner.call("POST", `${path}/result`, failed)).toMatchObject({ status: 201 });
    expect(await runner.call("POST", `${path}/outputs`, { outputs: null })).toMatchObject({ status: 201 });
    expect(await runner.call("POST", `${path}/outputs`, { outputs: null })).toMatchObject({ status: 201 });
    await patch("failed");
    expect(await show(job)).toMatchObject({ status: "failed", reason: "it broke badly" });
  });

  test("is the only one: while it works nothing else is offered, in any group", async () => {
    const runner = await goRunner();
    await poll(runner, "actions");
    const { patch } = await reserved(runner);
    await submit(bed, ACTION, { runner: runner.id });
    expect((await poll(runner, "actions")).json).toEqual([]);
    await patch("finished");
    expect((await poll(runner, "actions")).json).toHaveLength(1);
  });

  test("is never one of our own groups", async () => {
    const runner = await goRunner();
    await poll(runner, "operations");
    expect((await poll(runner, "scripts")).json).toEqual([]);
    expect((await poll(runner, "no-such-group")).json).toEqual([]);
  });

  test("that it may not take says why, and where plain HTTP is the reason what to do", async () => {
    const runner = await goRunner();
    await poll(runner, "deploy");
    const waits = (await show(await submitTerraform(bed, runner, "of-folder"))).waiting_for;
    expect(waits).toContain("not a Go runner: that one fetches sources over https only");
    expect(waits).toContain("--tls-cert");
    const git = { url: "https://example.com/r.git" };
    const spec = { source: { git }, workspace: "of-git" };
    const open = await submit(bed, { type: "terraform-deploy", spec }, { runner: runner.id });
    const other = (await show(open)).waiting_for;
    expect(other).toContain("not a Go runner;");
    expect(other).not.toContain("https");
  });

  test("goes on while heart beats come, answered with 201 and the beat", async () => {
    const runner = await goRunner();
    const { job } = await reserved(runner);
    const beat = await runner.call("POST", `/v1/runners/${runner.id}/heart-beats`, {
      alive_time: 600_000_000_000,
      version: "1.2.3",
      process: "install",
    });
    expect(beat.status).toBe(201);
    expect(beat.json).toMatchObject({ runner_id: runner.id, alive_time: 600_000_000_000, process: "install" });
    expect((await show(job)).status).toBe("in-progress");
    const doc = (await bed.admin("GET", `/runners/${runner.id}`)).json;
    expect(doc).toMatchObject({ contact: "online", session: { dialect: "nuon", mode: "install", busy: 1 } });
  });
});

test("action documents and steps are reached by the ids inside them", async () => {
  const runner = await goRunner();
  const { job } = await reserved(runner, ACTION, "actions");
  const plan = await runner.call("GET", `/v1/runner-jobs/${job}/plan`);
  expect(plan.headers.get("content-type")).toStartWith("text/plain");
  const run = await runner.call("GET", `/v1/installs/any/action-workflows/runs/${plan.json.id}`);
  expect(run.status).toBe(200);
  const config = await runner.call("GET", `/v1/action-workflows/configs/${run.json.action_workflow_config_id}`);
  expect(config.json.steps.map((step: { idx: number }) => step.idx ?? 0)).toEqual([0, 1]);
  const step = run.json.steps[0];
  const put = (status: string) =>
    runner.call("PUT", `/v1/installs/any/action-workflow-runs/any/steps/${step.id}`, {
      status,
      execution_duration: 1_500_000_000,
    });
  expect(await put("in-progress")).toMatchObject({ status: 200, json: { status: "in-progress" } });
  await put("finished");
  const [shown] = (await show(job)).steps;
  expect(shown).toMatchObject({ status: "finished", duration_ms: 1500 });
  expect((await runner.call("GET", "/v1/apps/any/config/apc-none")).json).toMatchObject({ description: "not found" });
});

describe("log export", () => {
  const records = (body: string) =>
    encodeLogsRequest({
      resource: {},
      schemaUrl: "",
      scope: "oteljob",
      records: [{ time: 1n, severity: "info", body, attributes: {} }],
    });
  const headers = { "content-type": "application/x-protobuf" };

  test("is appended, packed or not, before and after the reservation", async () => {
    const runner = await goRunner();
    await poll(runner, "operations");
    const job = await submit(bed, NOOP, { runner: runner.id });
    const [offered] = (await poll(runner, "operations")).json;
    const path = `/v1/log-streams/${offered.log_stream_id}/logs`;
    expect(await runner.call("POST", path, records("early"), headers)).toMatchObject({ status: 201, text: '"ok"' });
    await runner.call("POST", `/v1/runner-jobs/${job}/executions`, null);
    const packed = await runner.call("POST", path, gzipSync(records("late")), {
      ...headers,
      "content-encoding": "gzip",
    });
    expect(packed.status).toBe(201);
    expect((await bed.admin("GET", `/jobs/${job}/logs?format=text`)).text).toBe("early\nlate\n");
  });

  test("without records or without a stream is refused, never with a 500", async () => {
    const runner = await goRunner();
    const { offered } = await reserved(runner);
    const path = `/v1/log-streams/${offered.log_stream_id}/logs`;
    expect((await runner.call("POST", path, new Uint8Array(), headers)).status).toBe(400);
    expect((await runner.call("POST", "/v1/log-streams/log-none/logs", records("x"), headers)).status).toBe(404);
    expect((await runner.call("POST", "/v1/log-streams//logs", records("x"), headers)).status).toBe(404);
  });
});

describe("terraform of the Go runner", () => {
  test("locks with ?token=, meets 423 with the document, and unlocks by {} only what no longer runs", async () => {
    const runner = await bed.runner("state");
    await openSession(runner, "state-1");
    const job = await submitTerraform(bed, runner, "go-state");
    const [grant] = (await claim(runner, "state-1")).json.claims;
    const id = JSON.parse(grant.plan).terraform.terraform_backend.WorkspaceID;
    const query = `token=${runner.token}&job_id=${job}`;
    const post = (path: string, body: unknown) =>
      fetch(`${bed.url}${path}`, { method: "POST", body: JSON.stringify(body) });
    const lock = `/v1/terraform-workspaces/${id}/lock?${query}`;
    expect((await post(lock, { ID: "a", Who: "go" })).status).toBe(200);
    expect((await post(lock, { ID: "a", Who: "go" })).status).toBe(200);
    const held = await post(lock, { ID: "b" });
    expect(held.status).toBe(423);
    expect(await held.json()).toMatchObject({ ID: "a", Who: "go", job_id: job });
    const unlock = `/v1/terraform-workspaces/${id}/unlock?token=${runner.token}`;
    expect(await (await post(unlock, {})).json()).toEqual({});
    expect((await post(lock, { ID: "b" })).status).toBe(423);
    const encoded = JSON.stringify(Buffer.from('{"values":{}}').toString("base64"));
    const stateJson = await fetch(`${bed.url}/v1/terraform-workspaces/${id}/state-json?${query}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: `${encoded}\n`,
    });
    expect(await stateJson.json()).toEqual({ message: "terraform state json updated" });
    const state = { version: 4, serial: 1, lineage: "x" };
    const saved = await post(`/v1/terraform-backend?${query}&workspace_id=${id}&ID=a`, state);
    expect(saved.status).toBe(200);
    expect(await saved.text()).toBe('""');
    expect((await post(`/v1/terraform-backend?token=${runner.token}`, state)).status).toBe(400);
  });
});

test("a process of the Go runner gets nothing while an instance of ours holds its runner", async () => {
  const runner = await bed.runner("shared-id");
  await openSession(runner, "ours");
  await submit(bed, NOOP, { runner: runner.id });
  expect((await poll(runner, "operations")).json).toEqual([]);
});
