import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type NuonServer, startNuonServer, type TestJob } from "../../lib/nuon-server.ts";
import { busy, type Fault, htmlPage, serverError } from "../../lib/scripted-server.ts";
import { type NuonRunner, startNuonRunner } from "./nuon-runner.ts";

/** What no recording shows and a newer server, a proxy or a bad day may bring. In the end every job is done. */
setDefaultTimeout(40_000);
const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function server(): Promise<NuonServer> {
  const made = await startNuonServer();
  open.push(() => made.stop());
  return made;
}

function runnerOf({ url, runnerId, token }: NuonServer): NuonRunner {
  const runner = startNuonRunner({ url, runnerId, token, factor: 20 });
  open.push(() => runner.stop());
  return runner;
}

async function finished(peer: NuonServer, job: TestJob, said: readonly string[]): Promise<void> {
  const of = () => peer.executions.find((one) => one.jobId === job.id);
  for (let tries = 0; of()?.status !== "finished"; tries++) {
    if (tries > 3_000) throw new Error(`${job.type} is ${of()?.status ?? "not reserved"}: ${said.join("\n")}`);
    await Bun.sleep(10);
  }
  expect(peer.executions.filter((one) => one.jobId === job.id)).toHaveLength(1);
  expect(of()?.statuses.at(-1)).toBe("finished");
}

const body = (text: string, status = 200): Fault => ({ status, body: text });
const EMPTY = body("");
const LIST = "GET /v1/runners/*/jobs";
const LOOK = "GET /v1/runner-jobs/*";
const RESERVE = "POST /v1/runner-jobs/*/executions";
const PATCH = "PATCH /v1/runner-jobs/*/executions/*";
const LOGS = "POST /v1/log-streams/*/logs";
const BEAT = "POST /v1/runners/*/heart-beats";

const settings = (more: object) => body(JSON.stringify({ id: "rgs1", ...more }));

type Row = readonly [what: string, route: string, ...faults: Fault[]];
/** Each meets these answers in this order, then the server is as it should be. */
const PASSING: readonly Row[] = [
  [
    "settings that are no document, then fine",
    "GET /v1/runners/*/settings",
    EMPTY,
    body("null"),
    htmlPage(200),
    serverError,
  ],
  ["lists that are none", LIST, EMPTY, body("null"), body("{}"), body('[{}, null, 5, {"id":"x"}]'), htmlPage(200)],
  [
    "a gateway and a limit before the list",
    LIST,
    htmlPage(502),
    busy(1),
    serverError,
    { status: 204 },
    { cut: "half" },
  ],
  ["a reservation refused by the server itself", RESERVE, body("", 500), serverError, busy(1)],
  [
    "statuses answered with nothing, a page, 204",
    PATCH,
    EMPTY,
    htmlPage(200),
    { status: 204 },
    body("null"),
    body("{}"),
  ],
];
/** Each meets this answer for ever. */
const STANDING: readonly Row[] = [
  ["settings with no key at all", "GET /v1/runners/*/settings", body("{}")],
  [
    "settings full of nulls and of later keys",
    "GET /v1/runners/*/settings",
    settings({ groups: null, metadata: null, heart_beat_timeout: null, quantum: { on: true } }),
  ],
  [
    "settings with Go's longest duration",
    "GET /v1/runners/*/settings",
    body('{"heart_beat_timeout":9223372036854775807}'),
  ],
  ["a look that is empty", LOOK, EMPTY],
  ["a look that is a page", LOOK, htmlPage(200)],
  ["a look that shows a status of later", LOOK, body('{"id":"job1","status":"on-hold"}')],
  ["a look that is refused", LOOK, { status: 403, body: '{"error":"no","user_error":true}' }],
  ["logs to an unknown stream", LOGS, { status: 404, body: '{"error":"not found","user_error":true}' }],
  ["logs that are too large for a proxy", LOGS, htmlPage(413)],
  ["logs whose token is refused", LOGS, { status: 401, body: "{}" }],
  ["beats that nobody takes", BEAT, htmlPage(502)],
];

describe("a job is done, once, whatever the server answers:", () => {
  test.each([...PASSING])("%s", async (_, route, ...faults) => {
    const peer = await server();
    peer.script(route, ...faults);
    const job = peer.addJob({ type: "noop", group: "operations" });
    await finished(peer, job, runnerOf(peer).said);
  });

  test.each([...STANDING])("%s", async (_, route, fault) => {
    const peer = await server();
    if (fault) peer.always(route, fault);
    const job = peer.addJob({ type: "noop", group: "operations" });
    await finished(peer, job, runnerOf(peer).said);
  });

  test("words, keys and numbers of a later server in the job itself", async () => {
    const peer = await server();
    const job = peer.addJob({
      ...{ type: "noop", group: "operations", operation: "exec-later", priority: 5, tags: ["x"], owner: { id: "y" } },
      ...{ execution_time: 2 ** 63, queue_timeout: 2 ** 63, metadata: null, executions: null, outputs: null },
      created_at: "2090-01-01T00:00:00.123456789+02:00",
    });
    await finished(peer, job, runnerOf(peer).said);
  });

  test("a server whose clock is hours behind or ahead", async () => {
    const peer = await server();
    const jobs = ["2020-01-01T00:00:00Z", "2090-01-01T00:00:00Z"].map((created_at) => {
      return peer.addJob({ type: "noop", group: "operations", created_at, execution_timeout: 60_000_000_000 });
    });
    const { said } = runnerOf(peer);
    for (const job of jobs) await finished(peer, job, said);
  });
});

test("an execution whose id would lead out of the state directory is not begun, and the next job is done", async () => {
  const peer = await server();
  peer.script(RESERVE, { status: 201, body: '{"id":"../../precious","status":"pending"}' });
  const evil = peer.addJob({ type: "noop", group: "operations", created_at: "2020-01-01T00:00:00Z" });
  const { said } = runnerOf(peer);
  for (let tries = 0; peer.of(RESERVE).length === 0 && tries < 1_000; tries++) await Bun.sleep(10);
  await finished(peer, peer.addJob({ type: "noop", group: "operations" }), said);
  expect(peer.of(RESERVE).filter((one) => one.path.includes(evil.id))).toHaveLength(1);
  expect(peer.seen.filter((one) => one.path.includes(".."))).toEqual([]);
  expect(said.join("\n")).toContain("is no plain name");
});

test("an action whose plan has 10 MB of what nobody reads is done", async () => {
  const peer = await server();
  const step = {
    run_id: "ias1",
    attrs: { "step.id": "acs1", "step.name": "one" },
    interpolated_inline_contents: "true\n",
  };
  const plan = JSON.stringify({ id: "iar1", install_id: "inl1", steps: [step], later: "x".repeat(10 << 20) });
  peer.documents["/v1/installs/inl1/action-workflows/runs/iar1"] = {
    ...{ id: "iar1", action_workflow_config_id: "acc1", steps: [{ id: "ias1", step_id: "acs1" }] },
  };
  peer.documents["/v1/action-workflows/configs/acc1"] = { id: "acc1", steps: [{ id: "acs1", idx: 0, name: "one" }] };
  const job = peer.addJob({ type: "actions-workflow", group: "actions", plan });
  await finished(peer, job, runnerOf(peer).said);
});
