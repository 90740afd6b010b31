import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import {
  claimResponse,
  completeResponse,
  LOG_HEADERS,
  renewResponse,
  sessionConflict,
  sessionResponse,
} from "../../internal/protocol/native.ts";
import { encodeLogsRequest } from "../../internal/protocol/otlp.ts";
import {
  ACTION,
  type Bed,
  claim,
  complete,
  NOOP,
  openSession,
  type RunnerClient,
  startBed,
  submit,
  submitTerraform,
} from "./runner-api-bed.ts";

let bed: Bed;
beforeAll(async () => {
  bed = await startBed();
});
afterAll(() => bed.stop());

let names = 0;
/** A runner of this test alone; jobs are pinned to it, so that tests do not take each other's work. */
async function online(over: Record<string, unknown> = {}): Promise<RunnerClient> {
  const runner = await bed.runner(`native-${names++}`);
  await openSession(runner, `${runner.id}-1`, over);
  return runner;
}
const instanceOf = (runner: RunnerClient) => `${runner.id}-1`;
const pinned = (runner: RunnerClient) => ({ runner: runner.id });
async function untilHeld(): Promise<void> {
  const key = readFileSync(join(bed.dataDir, "admin.key"), "utf8").trim();
  const metrics = () => fetch(`${bed.url}/metrics`, { headers: { authorization: `Bearer ${key}` } });
  while (!(await (await metrics()).text()).includes("runner_coordinator_held_claims 1\n")) await Bun.sleep(10);
}
const show = async (job: string) => (await bed.admin("GET", `/jobs/${job}`)).json;

describe("the extension", () => {
  test("is discovered without a token", async () => {
    const answer = await fetch(`${bed.url}/v1/capabilities`);
    expect(await answer.json()).toEqual({ name: "runner-coordinator", extension: 1, version: "test" });
  });

  test("opens a session with settings and times, and refuses a second instance naming the holder", async () => {
    const runner = await bed.runner("sessions");
    const opened = await openSession(runner, "instance-a");
    expect(sessionResponse.parse(opened.json).times.lease_ms).toBe(30_000);
    const refused = await openSession(runner, "instance-b");
    expect(refused.status).toBe(409);
    expect(sessionConflict.parse(refused.json).holder).toMatchObject({ instance_id: "instance-a", hostname: "host-1" });
    expect((await openSession(runner, "instance-a")).status).toBe(200);
  });

  test("refuses unknown keys, another runner's id and a wrong token", async () => {
    const runner = await online();
    expect((await openSession(runner, "x", { surprise: 1 })).status).toBe(400);
    const other = await online();
    expect((await openSession({ ...other, call: runner.call }, "x")).status).toBe(404);
    const wrong = await fetch(`${bed.url}/v1/runners/${runner.id}/claims`, {
      method: "POST",
      headers: { authorization: "Bearer wrong" },
      body: "{}",
    });
    expect(wrong.status).toBe(401);
  });

  test("runs a job from claim to the operator's outputs", async () => {
    const runner = await online();
    const job = await submit(bed, ACTION, pinned(runner));
    const claimed = claimResponse.parse((await claim(runner, instanceOf(runner))).json);
    const [grant] = claimed.claims;
    if (!grant) throw new Error("nothing was granted");
    expect(grant.job).toMatchObject({ id: job, type: "actions-workflow", status: "in-progress" });
    expect(grant.documents.action_config?.steps).toHaveLength(2);
    const renewed = await runner.call("POST", `/v1/runners/${runner.id}/renewals`, {
      instance_id: instanceOf(runner),
      executions: [
        {
          execution_id: grant.execution_id,
          epoch: 1,
          status: "in-progress",
          phase: "execute",
          steps: [{ name: "one", status: "in-progress", started_at: null, duration_ms: 1, exit_code: null }],
        },
      ],
      host: { load: 0, memory_free_bytes: 1, disk_free_bytes: 1 },
      after: 0,
    });
    expect(renewResponse.parse(renewed.json).leases).toMatchObject([{ execution_id: grant.execution_id, epoch: 1 }]);
    const ended = await complete(runner, instanceOf(runner), grant, { outputs: { answer: 42 } });
    expect(completeResponse.parse(ended.json).completions).toMatchObject([{ recorded: true, job_status: "finished" }]);
    const doc = await show(job);
    expect(doc.outputs).toEqual({ answer: 42 });
    expect(doc.executions[0].phase).toBe("execute");
    expect(doc.events.map((event: { what: string }) => event.what)).toEqual([
      "queued",
      "available",
      "in-progress",
      "step:one",
      "finished",
    ]);
  });

  test("holds a claim until there is work", async () => {
    const runner = await online();
    const held = claim(runner, instanceOf(runner), { wait_ms: 20_000 });
    const job = await submit(bed, NOOP, pinned(runner));
    expect((await held).json.claims[0].job.id).toBe(job);
  });

  test("ends an older held claim of the same instance with an empty answer", async () => {
    const runner = await online();
    const older = claim(runner, instanceOf(runner), { wait_ms: 20_000 });
    await Bun.sleep(50);
    const newer = claim(runner, instanceOf(runner), { wait_ms: 20_000 });
    expect((await older).json).toEqual({ claims: [], directives: [], after: 0 });
    const job = await submit(bed, NOOP, pinned(runner));
    expect((await newer).json.claims[0].job.id).toBe(job);
  });

  test("ends a held claim when its token is taken back: who has lost it gets no job any more", async () => {
    const runner = await online();
    const held = claim(runner, instanceOf(runner), { wait_ms: 20_000 });
    await untilHeld();
    expect((await bed.admin("POST", `/runners/${runner.id}/rotate`)).status).toBe(200);
    const job = await submit(bed, NOOP, pinned(runner));
    expect((await held).json).toEqual({ claims: [], directives: [], after: 0 });
    expect((await show(job)).executions).toEqual([]);
    expect((await claim(runner, instanceOf(runner))).status).toBe(401);
  });

  test("does not end a claim for another runner's of the same instance: machines are copied with their state", async () => {
    const [one, other] = [await bed.runner("copied-1"), await bed.runner("copied-2")];
    await openSession(one, "copied");
    const held = claim(one, "copied", { wait_ms: 20_000 });
    await untilHeld();
    await openSession(other, "copied");
    expect((await claim(other, "copied")).json.claims).toEqual([]);
    const job = await submit(bed, NOOP, pinned(one));
    expect((await held).json.claims).toMatchObject([{ job: { id: job } }]);
  });

  test("answers a repeated claim key with what it was granted, credentials and all", async () => {
    const runner = await online();
    await submit(bed, NOOP, pinned(runner));
    const first = await claim(runner, instanceOf(runner), { key: "key-repeated" });
    const again = await claim(runner, instanceOf(runner), { key: "key-repeated" });
    expect(again.json.claims[0].execution_id).toBe(first.json.claims[0].execution_id);
    expect(again.json.claims[0].credentials).toEqual(first.json.claims[0].credentials);
  });

  test("answers a drain, which has no room any more, at once with what its last key was granted, or with nothing", async () => {
    const runner = await online();
    await submit(bed, ACTION, pinned(runner));
    const last = { key: "key-of-the-drain", slots: {}, wait_ms: 0 };
    expect((await claim(runner, instanceOf(runner), last)).json.claims).toEqual([]);
    const [granted] = (await claim(runner, instanceOf(runner), { key: last.key })).json.claims;
    expect((await claim(runner, instanceOf(runner), last)).json.claims).toMatchObject([
      { execution_id: granted.execution_id },
    ]);
  });

  test("wakes a claim without free slots for a cancel, tells it once per seq, and ends the job when reported", async () => {
    const runner = await online();
    const job = await submit(bed, NOOP, pinned(runner));
    const [grant] = (await claim(runner, instanceOf(runner))).json.claims;
    const held = claim(runner, instanceOf(runner), { slots: {}, wait_ms: 20_000 });
    await bed.admin("POST", `/jobs/${job}/cancel`, {});
    const woken = (await held).json;
    expect(woken.directives).toMatchObject([{ kind: "cancel", execution_id: grant.execution_id }]);
    const next = await claim(runner, instanceOf(runner), { slots: {}, after: woken.after });
    expect(next.json.directives).toEqual([]);
    await complete(runner, instanceOf(runner), grant, { status: "cancelled" });
    expect((await show(job)).status).toBe("cancelled");
  });

  test("tells a drain, gives no more work, and a new session ends the drain", async () => {
    const runner = await online();
    await bed.admin("POST", `/runners/${runner.id}/drain`, {});
    const job = await submit(bed, NOOP, pinned(runner));
    const told = await claim(runner, instanceOf(runner));
    expect(told.json).toMatchObject({ claims: [], directives: [{ kind: "drain" }] });
    expect((await show(job)).reason).toBe("runner_draining");
    await openSession(runner, instanceOf(runner));
    expect((await claim(runner, instanceOf(runner), { after: told.json.after })).json.claims).toHaveLength(1);
  });

  test("asks an instance without a session to open one", async () => {
    const runner = await bed.runner("no-session");
    const answer = await claim(runner, "nobody");
    expect(answer.status).toBe(409);
    expect(sessionConflict.parse(answer.json).retry_after_ms).toBe(0);
  });
});

const logs = (...lines: string[]) =>
  encodeLogsRequest({
    resource: {},
    schemaUrl: "",
    scope: "oteljob",
    records: lines.map((body) => ({
      time: 1_700_000_000_000_000_000n,
      severity: "info" as const,
      body,
      attributes: {},
    })),
  });

describe("logs with offsets", () => {
  async function running() {
    const runner = await online();
    const job = await submit(bed, NOOP, pinned(runner));
    const [grant] = (await claim(runner, instanceOf(runner))).json.claims;
    const post = (from: number, to: number, body: Uint8Array, over: Record<string, string> = {}) =>
      runner.call("POST", `/v1/log-streams/${grant.job.log_stream_id}/logs`, body, {
        "content-type": "application/x-protobuf",
        [LOG_HEADERS.execution]: grant.execution_id,
        [LOG_HEADERS.epoch]: "1",
        [LOG_HEADERS.from]: String(from),
        [LOG_HEADERS.to]: String(to),
        ...over,
      });
    const text = async () => (await bed.admin("GET", `/jobs/${job}/logs?format=text`)).text;
    return { runner, job, grant, post, text };
  }

  test("are stored once: a repeat and a gap are answered with what is stored", async () => {
    const { post, text } = await running();
    expect((await post(0, 10, logs("first"))).json).toEqual({ stored: 10 });
    expect(await post(0, 10, logs("first"))).toMatchObject({ status: 409, json: { stored: 10 } });
    expect(await post(20, 30, logs("third"))).toMatchObject({ status: 409, json: { stored: 10 } });
    expect((await post(10, 20, gzipSync(logs("second")), { "content-encoding": "gzip" })).json).toEqual({ stored: 20 });
    expect(await text()).toBe("first\nsecond\n");
  });

  test("go on from the stored offset after the coordinator was started anew", async () => {
    const { post, text } = await running();
    await post(0, 10, logs("before"));
    await bed.restart();
    expect(await post(0, 10, logs("before"))).toMatchObject({ status: 409, json: { stored: 10 } });
    expect((await post(10, 20, logs("after"))).json).toEqual({ stored: 20 });
    expect(await text()).toBe("before\nafter\n");
  });

  test("of another execution, a stale epoch or another runner are refused", async () => {
    const { post, grant } = await running();
    expect(await post(0, 1, logs("x"), { [LOG_HEADERS.epoch]: "7" })).toMatchObject({ status: 409 });
    expect(await post(0, 1, logs("x"), { [LOG_HEADERS.execution]: "run-of-nobody" })).toMatchObject({ status: 409 });
    const other = await online();
    const path = `/v1/log-streams/${grant.job.log_stream_id}/logs`;
    expect((await other.call("POST", path, logs("x"))).status).toBe(404);
  });

  test("that are no protobuf, or unpack to more than the limit, are refused without a trace", async () => {
    const { post, text } = await running();
    expect((await post(0, 5, new TextEncoder().encode("nonsense"))).status).toBe(400);
    const bomb = gzipSync(new Uint8Array(9 * 1024 * 1024));
    expect((await post(0, 5, bomb, { "content-encoding": "gzip" })).status).toBe(413);
    expect(await text()).toBe("");
  });
});

describe("terraform state over HTTP", () => {
  const lock = (id: string) => ({
    ID: id,
    Operation: "OperationTypePlan",
    Info: "",
    Who: "me@host",
    Version: "1.11.4",
    Created: "",
    Path: "",
  });
  const state = (serial: number) => JSON.stringify({ version: 4, serial, lineage: "one", resources: [] });

  async function working(workspace: string) {
    const runner = await online();
    const job = await submitTerraform(bed, runner, workspace);
    const [grant] = (await claim(runner, instanceOf(runner))).json.claims;
    const id = JSON.parse(grant.plan).terraform.terraform_backend.WorkspaceID as string;
    const { username, password } = grant.credentials;
    const basic = { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}` };
    const call = (method: string, path: string, body?: unknown) => runner.call(method, path, body, basic);
    return { runner, job, grant, id, call };
  }

  test("locks, saves, reads and unlocks with the execution's own credentials", async () => {
    const { id, call } = await working("http-one");
    const backend = `/v1/terraform-backend?workspace_id=${id}`;
    expect((await call("GET", backend)).status).toBe(204);
    expect((await call("POST", `/v1/terraform-workspaces/${id}/lock`, lock("lock-a"))).status).toBe(200);
    const held = await call("POST", `/v1/terraform-workspaces/${id}/lock`, lock("lock-b"));
    expect(held).toMatchObject({ status: 423, json: { ID: "lock-a", Who: "me@host" } });
    expect((await call("POST", `${backend}&ID=lock-a`, JSON.parse(state(1)))).status).toBe(200);
    expect((await call("POST", `${backend}&ID=lock-b`, JSON.parse(state(2)))).status).toBe(423);
    expect(JSON.parse((await call("GET", backend)).text)).toMatchObject({ serial: 1 });
    const unlocked = await call("POST", `/v1/terraform-workspaces/${id}/unlock`, lock("lock-a"));
    expect(unlocked).toMatchObject({ status: 200, text: "{}" });
  });

  test("is out of reach of another execution, another workspace and a wrong password", async () => {
    const one = await working("http-two");
    const two = await working("http-three");
    expect((await two.call("GET", `/v1/terraform-backend?workspace_id=${one.id}`)).status).toBe(404);
    expect((await two.runner.call("GET", `/v1/terraform-backend?workspace_id=${one.id}`)).status).toBe(404);
    const wrong = await fetch(`${bed.url}/v1/terraform-backend?workspace_id=${one.id}`, {
      headers: { authorization: `Basic ${Buffer.from(`${one.grant.credentials.username}:x`).toString("base64")}` },
    });
    expect(wrong.status).toBe(401);
    expect(wrong.headers.get("www-authenticate")).toContain("Basic");
  });

  test("that was damaged on its way is asked for again, never refused for good", async () => {
    const { id, call, runner, grant } = await working("http-four");
    const { username, password } = grant.credentials;
    const damaged = await runner.call("POST", `/v1/terraform-backend?workspace_id=${id}`, JSON.parse(state(1)), {
      authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`,
      "content-md5": "AAAAAAAAAAAAAAAAAAAAAA==",
    });
    expect(damaged.status).toBe(503);
    expect((await call("GET", `/v1/terraform-backend?workspace_id=${id}`)).status).toBe(204);
  });
});

test("sign-of-life routes answer without a key and an unknown path like the real server", async () => {
  expect((await fetch(`${bed.url}/livez`)).status).toBe(200);
  expect((await fetch(`${bed.url}/readyz`)).status).toBe(200);
  const unknown = await fetch(`${bed.url}/v1/nothing`);
  expect(unknown.status).toBe(404);
  expect(await unknown.text()).toBe("404 page not found");
});

test("the coordinator's metrics need the admin key and come as Prometheus text", async () => {
  expect((await fetch(`${bed.url}/metrics`)).status).toBe(401);
  const runner = await bed.runner("metrics-of-a-runner");
  expect((await runner.call("GET", "/metrics")).status).toBe(401);
  const key = readFileSync(join(bed.dataDir, "admin.key"), "utf8").trim();
  const answer = await fetch(`${bed.url}/metrics`, { headers: { authorization: `Bearer ${key}` } });
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toStartWith("text/plain; version=0.0.4");
  const text = await answer.text();
  expect(text).toMatch(/^runner_coordinator_held_claims 0$/m);
  expect(text).toMatch(/^runner_coordinator_runners\{contact="never"\} \d+$/m);
});
