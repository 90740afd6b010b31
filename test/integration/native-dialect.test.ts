import { afterEach, describe, expect, test } from "bun:test";
import { createSystemLog } from "../../internal/kit/base/system-log.ts";
import {
  type Claim,
  type Completion,
  claimRequest,
  completeRequest,
  LOG_HEADERS,
  renewRequest,
  sessionRequest,
} from "../../internal/protocol/native.ts";
import { decodeLogsRequest } from "../../internal/protocol/otlp.ts";
import { DEFAULT_TIMES } from "../../internal/protocol/times.ts";
import type { Announcement, ControlPlane } from "../../internal/runner/controlplane/control-plane.ts";
import { detectDialect } from "../../internal/runner/controlplane/detect.ts";
import { createNativeControlPlane } from "../../internal/runner/controlplane/native.ts";
import { quickClock } from "../lib/quick-clock.ts";
import {
  type Answer,
  busy,
  type Fault,
  htmlPage,
  type ScriptedServer,
  type Seen,
  serverError,
  startScriptedServer,
} from "../lib/scripted-server.ts";

const CLAIMS = "POST /v1/runners/run1/claims";
const COMPLETIONS = "POST /v1/runners/run1/completions";
const SESSIONS = "POST /v1/runners/run1/sessions";
const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

const lease = (id: string) => ({ execution_id: id, epoch: 1, expires_at: "2026-11-21T10:00:30Z", ttl_ms: 30_000 });
const claimOf = (n: number): Claim => ({
  job: { id: `job${n}`, type: "noop", group: "operations", log_stream_id: `log${n}` },
  plan: null,
  execution_id: `run${n}`,
  lease: lease(`run${n}`),
  credentials: { username: `run${n}.1`, password: "a-state-password" },
  documents: { action_run: null, action_config: null, app_config: null },
  options: { verify: true, cancel_grace_ms: null, sensitive_vars: ["password"] },
});

/** A coordinator's runner API, just enough of it, refusing what the protocol does not allow. */
async function coordinator() {
  const recorded: Completion[] = [];
  const cleanups: { execution_id: string; error: string | null }[] = [];
  const work: Claim[] = [];
  const server = await startScriptedServer((request) => answer(request));

  function answer(request: Seen): Answer {
    const { path, body } = request;
    if (path === "/v1/capabilities")
      return { status: 200, body: { name: "runner-coordinator", extension: 1, version: "1" } };
    const json = () => JSON.parse(body.toString());
    if (path.endsWith("/sessions")) {
      sessionRequest.parse(json());
      return { status: 200, body: { session_id: "ses1", settings: { id: "rgs1" }, times: DEFAULT_TIMES, held: [] } };
    }
    if (path.endsWith("/events")) return { status: 201, body: {} };
    if (path.endsWith("/claims")) {
      claimRequest.parse(json());
      return {
        status: 200,
        body: { claims: [...work], directives: [{ kind: "drain", seq: 7, reason: "update" }], after: 7 },
      };
    }
    if (path.endsWith("/renewals")) {
      const { executions } = renewRequest.parse(json());
      const leases = executions.map((one) => lease(one.execution_id));
      return { status: 200, body: { leases, lost: [], directives: [], after: 9 } };
    }
    if (path.endsWith("/completions")) return complete(completeRequest.parse(json()));
    if (path.endsWith("/logs"))
      return { status: 200, body: { stored: Number(request.headers[LOG_HEADERS.to.toLowerCase()]) } };
    return { status: 404, body: "404 page not found", type: "text/plain" };
  }

  function complete(request: ReturnType<typeof completeRequest.parse>): Answer {
    if (request.completions.some((one) => one.code === "poison")) return { status: 400, body: { error: "unreadable" } };
    for (const one of request.completions) {
      if (!recorded.some((other) => other.execution_id === one.execution_id)) recorded.push(one);
    }
    cleanups.push(...request.cleanups);
    const completions = request.completions.map(({ execution_id }) => ({
      execution_id,
      recorded: execution_id !== "run-stale",
      job_status: "finished",
      reason: "",
    }));
    return { status: 200, body: { completions } };
  }
  open.push(() => server.stop());
  return Object.assign(server, { recorded, cleanups, work });
}

function runnerOf(server: ScriptedServer) {
  const lines: string[] = [];
  const holders: (string | null)[] = [];
  const stop = new AbortController();
  open.push(() => stop.abort());
  const plane = createNativeControlPlane({
    url: server.url,
    runnerId: "run1",
    token: "a-runner-token",
    version: "1.2.3",
    stateDir: "/tmp",
    clock: quickClock(20),
    random: () => 0.5,
    held: (by) => void holders.push(by === null ? null : `${by.instanceId} on ${by.hostname}`),
    log: createSystemLog({ format: "text", level: "info", write: (line) => lines.push(line) }),
  });
  return { plane, lines, holders, signal: stop.signal, stop };
}

const announcement: Announcement = {
  instanceId: "ins1",
  mode: "all",
  version: "1.2.3",
  inventory: { hostname: "h", os: "linux", arch: "amd64", cpus: 1, memory_bytes: 1, gpus: [], labels: {} },
  slots: { operations: 4 },
  jobTypes: ["noop"],
  held: [],
  aliveSince: 0,
};
const wish = { key: "claim-key-1", slots: { operations: 4 }, groups: ["operations"], after: 0 } as const;

const ended = (id: string, more: Partial<Completion> = {}): Completion => ({
  execution_id: id,
  epoch: 1,
  status: "finished",
  reason: "",
  code: "",
  result: null,
  outputs: {},
  sensitive_outputs: [],
  steps: [],
  ...more,
});
const refOf = (id: string) => ({
  id,
  jobId: `job-of-${id}`,
  epoch: 1,
  logStreamId: "log1",
  group: "operations" as const,
  jobType: "noop",
  sealed: {},
});
const nothing = async () => null;

async function connected(server: ScriptedServer) {
  const runner = runnerOf(server);
  const session = await runner.plane.connect(announcement, runner.signal);
  if (!session.ok) throw session.error;
  return runner;
}
const completeAll = (plane: ControlPlane, ids: readonly string[], signal: AbortSignal) =>
  Promise.all(ids.map((id) => plane.complete(refOf(id), ended(id), nothing, signal)));

describe("completions", () => {
  test("that come while a request is on its way travel together in the next one", async () => {
    const server = await coordinator();
    const { plane, signal } = await connected(server);
    server.script(COMPLETIONS, { delay: 60 });
    const first = plane.complete(refOf("run-first"), ended("run-first"), nothing, signal);
    await until(() => server.of(COMPLETIONS).length === 1);
    const ids = Array.from({ length: 40 }, (_, n) => `run-${n}`);
    await Promise.all([first, completeAll(plane, ids, signal)]);
    expect(server.recorded).toHaveLength(41);
    expect(server.cleanups).toHaveLength(41);
    expect(server.of(COMPLETIONS).length).toBeLessThanOrEqual(6);
  });

  test("are at most 64 in one request", async () => {
    const server = await coordinator();
    const { plane, signal } = await connected(server);
    await completeAll(
      plane,
      Array.from({ length: 150 }, (_, n) => `run-${n}`),
      signal,
    );
    const sizes = server.of(COMPLETIONS).map((one) => {
      const { completions, cleanups } = JSON.parse(one.body.toString());
      return completions.length + cleanups.length;
    });
    expect(Math.max(...sizes)).toBe(64);
    expect(server.recorded).toHaveLength(150);
  });

  test("one that the coordinator cannot take does not hold back the others", async () => {
    const server = await coordinator();
    const { plane, signal } = await connected(server);
    const [bad, good] = await Promise.all([
      plane.complete(refOf("run-bad"), ended("run-bad", { code: "poison" }), nothing, signal),
      plane.complete(refOf("run-good"), ended("run-good"), nothing, signal),
    ]);
    expect([bad.ok, good.ok]).toEqual([false, true]);
    expect(server.recorded.map((one) => one.execution_id)).toEqual(["run-good"]);
  });

  test("clean up after they are recorded, and say how that ended", async () => {
    const server = await coordinator();
    const { plane, signal } = await connected(server);
    const recordedAtCleanup: number[] = [];
    const cleanup = async () => {
      recordedAtCleanup.push(server.recorded.length);
      return "folder busy";
    };
    await plane.complete(refOf("run-1"), ended("run-1"), cleanup, signal);
    expect(recordedAtCleanup).toEqual([1]);
    expect(server.cleanups).toEqual([expect.objectContaining({ execution_id: "run-1", error: "folder busy" })]);
  });

  test("of a stale epoch are told to be so", async () => {
    const server = await coordinator();
    const { plane, signal } = await connected(server);
    const answer = await plane.complete(refOf("run-stale"), ended("run-stale"), nothing, signal);
    expect(answer.ok && answer.value.recorded).toBe(false);
  });

  test("need no session when the execution's own facts are there", async () => {
    const server = await coordinator();
    const { plane, signal } = runnerOf(server);
    const { credentials, documents } = claimOf(1);
    const execution = { ...refOf("run-1"), sealed: { instance_id: "ins-before", credentials, documents } };
    expect((await plane.complete(execution, ended("run-1"), nothing, signal)).ok).toBe(true);
    expect(JSON.parse(server.of(COMPLETIONS)[0]?.body.toString() ?? "").instance_id).toBe("ins-before");
    expect(server.of(SESSIONS)).toEqual([]);
  });

  const faults: [string, Fault][] = [
    ["500", serverError],
    ["an HTML page with status 200", htmlPage(200)],
    ["429", busy(1)],
    ["a cut before", { cut: "before" }],
    ["a cut after", { cut: "after" }],
    ["half an answer", { cut: "half" }],
    ["silence", { hang: "after" }],
  ];
  for (const [name, fault] of faults) {
    test(`arrive once in spite of ${name}`, async () => {
      const server = await coordinator();
      const { plane, signal } = await connected(server);
      server.script(COMPLETIONS, fault, fault);
      const answer = await plane.complete(refOf("run-1"), ended("run-1"), nothing, signal);
      expect(answer.ok && answer.value.recorded).toBe(true);
      expect(server.recorded).toHaveLength(1);
    });
  }
});

describe("a session", () => {
  const conflict: Fault = {
    status: 409,
    body: JSON.stringify({
      error: "held",
      user_error: true,
      description: "",
      holder: { instance_id: "ins-other", hostname: "elsewhere", last_contact_at: "2026-11-21T10:00:00Z" },
      retry_after_ms: 500,
    }),
  };

  test("waits while another instance holds the runner, says once who, and takes over", async () => {
    const server = await coordinator();
    server.script(SESSIONS, conflict, conflict, conflict);
    const { lines, holders } = await connected(server);
    expect(server.of(SESSIONS)).toHaveLength(4);
    expect(lines.filter((line) => line.includes("ins-other"))).toEqual([expect.stringContaining("runners create")]);
    expect(holders).toEqual(["ins-other on elsewhere", null]);
  });

  test("lost to another instance stops what runs, and claims wait for the runner to be free again", async () => {
    const server = await coordinator();
    const { plane, signal, lines } = await connected(server);
    server.work.push(claimOf(1));
    server.script("POST /v1/runners/run1/renewals", conflict);
    const executions = [
      { execution_id: "run9", epoch: 1, status: "in-progress" as const, phase: "execute", steps: [] },
    ];
    const renewed = await plane.renew(executions, signal);
    expect(renewed.ok && renewed.value.lost.map((one) => one.execution_id)).toEqual(["run9"]);
    server.script(CLAIMS, conflict);
    server.script(SESSIONS, conflict);
    const granted = await plane.claim(wish, signal);
    expect(granted.ok && granted.value.work).toHaveLength(1);
    expect(lines.filter((line) => line.includes("ins-other"))).toHaveLength(1);
  });

  for (const status of [401, 403, 404]) {
    test(`refused with ${status} ends at once with what to check`, async () => {
      const server = await coordinator();
      server.always(SESSIONS, { status, body: '{"error":"no"}' });
      const { plane, signal } = runnerOf(server);
      const session = await plane.connect(announcement, signal);
      expect(session.ok ? null : session.error).toMatchObject({ kind: "refused" });
      expect(server.of(SESSIONS)).toHaveLength(1);
    });
  }
});

describe("what happened to the runner", () => {
  const event = { id: "settings:2.0.0:1", what: "update-rolled-back", why: "1.0.0 → 2.0.0: sick" } as const;
  const EVENTS = "POST /v1/runners/run1/events";

  test("is told until the coordinator takes it", async () => {
    const server = await coordinator();
    server.script(EVENTS, serverError, { hang: "after" });
    const { plane, signal } = runnerOf(server);
    expect((await plane.tell?.(event, signal))?.ok).toBe(true);
    expect(server.of(EVENTS).length).toBeGreaterThan(1);
    expect(JSON.parse(server.of(EVENTS).at(-1)?.body.toString() ?? "")).toEqual(event);
  });

  test("is not told again to a coordinator that knows no such thing", async () => {
    const server = await coordinator();
    server.always(EVENTS, { status: 404, body: "{}" });
    const { plane, signal } = runnerOf(server);
    expect((await plane.tell?.(event, signal))?.ok).toBe(false);
    expect(server.of(EVENTS)).toHaveLength(1);
  });
});

describe("a claim", () => {
  test("brings job, plan, lease, wishes and sealed facts", async () => {
    const server = await coordinator();
    server.work.push(claimOf(1));
    const { plane, signal } = await connected(server);
    const granted = await plane.claim(wish, signal);
    if (!granted.ok) throw granted.error;
    const [work] = granted.value.work;
    expect(granted.value).toMatchObject({ after: 7, directives: [{ kind: "drain", reason: "update" }] });
    expect(work?.execution).toMatchObject({ id: "run1", jobId: "job1", epoch: 1, logStreamId: "log1" });
    expect(work?.options).toEqual({ verify: true, cancelGraceMs: null, sensitiveVars: ["password"] });
    if (!work) throw new Error("no work");
    expect(plane.secrets(work.execution)).toEqual(["a-runner-token", "a-state-password"]);
    const env = plane.state(work.execution).terraformEnv("tfw1");
    expect(env).toMatchObject({ TF_HTTP_USERNAME: "run1.1", TF_HTTP_PASSWORD: "a-state-password" });
    expect(env.TF_HTTP_ADDRESS).toBe(`${server.url}/v1/terraform-backend?workspace_id=tfw1&job_id=job1`);
    expect(JSON.stringify(env)).not.toContain("a-runner-token");
  });

  test("given up while it is held can be asked again under its key", async () => {
    const server = await coordinator();
    server.work.push(claimOf(1));
    server.script(CLAIMS, { hang: "after" });
    const { plane, signal } = await connected(server);
    const room = new AbortController();
    const held = plane.claim(wish, AbortSignal.any([room.signal, signal]));
    await until(() => server.of(CLAIMS).length === 1);
    room.abort();
    expect((await held).ok).toBe(false);
    const again = await plane.claim(wish, signal);
    expect(again.ok && again.value.work).toHaveLength(1);
    const keys = server.of(CLAIMS).map((one) => JSON.parse(one.body.toString()).key);
    expect(keys).toEqual(["claim-key-1", "claim-key-1"]);
  });
});

test("a renewal names what is seen and says how long each lease lasts", async () => {
  const server = await coordinator();
  const { plane, signal } = await connected(server);
  await plane.claim(wish, signal);
  const executions = [{ execution_id: "run1", epoch: 1, status: "in-progress" as const, phase: "execute", steps: [] }];
  const renewed = await plane.renew(executions, signal);
  if (!renewed.ok) throw renewed.error;
  expect(renewed.value.leases[0]?.ttlMs).toBeGreaterThan(0);
  const sent = JSON.parse(server.of("POST /v1/runners/run1/renewals")[0]?.body.toString() ?? "");
  expect(sent).toMatchObject({ instance_id: "ins1", after: 7 });
  expect(sent.host.memory_free_bytes).toBeGreaterThan(0);
});

describe("a batch of log records", () => {
  const batch = {
    from: 100,
    to: 112,
    records: [{ time: 1n, severity: "info", text: "hello", source: "tool", partial: true, attributes: { a: 1 } }],
  } as const;
  const LOGS = "POST /v1/log-streams/log1/logs";

  test("carries its range, epoch and attributes", async () => {
    const server = await coordinator();
    const { plane, signal } = await connected(server);
    expect(await plane.logs(refOf("run1"), batch, signal)).toEqual({ ok: true, value: { stored: 112 } });
    const [seen] = server.of(LOGS);
    expect(seen?.headers).toMatchObject({ "x-runner-execution": "run1", "x-runner-epoch": "1", "x-log-from": "100" });
    const decoded = decodeLogsRequest(seen?.body ?? new Uint8Array());
    expect(decoded.ok && decoded.value[0]?.records[0]).toMatchObject({
      body: "hello",
      attributes: { a: 1, "runner.source": "tool", "runner.partial": true, "runner_job.id": "job-of-run1" },
    });
  });

  test("answered with another position is sent on from there, not an error", async () => {
    const server = await coordinator();
    server.script(LOGS, { status: 409, body: '{"stored":40}' });
    const { plane, signal } = await connected(server);
    expect(await plane.logs(refOf("run1"), batch, signal)).toEqual({ ok: true, value: { stored: 40 } });
  });

  test("of a stale epoch is refused", async () => {
    const server = await coordinator();
    server.script(LOGS, { status: 409, body: '{"error":"stale epoch"}' });
    const { plane, signal } = await connected(server);
    const answer = await plane.logs(refOf("run1"), batch, signal);
    expect(answer.ok ? null : answer.error.kind).toBe("conflict");
  });
});

describe("the dialect of a server", () => {
  const detect = (server: ScriptedServer) =>
    detectDialect({ baseUrl: server.url, clock: quickClock(20) }, new AbortController().signal);

  test("is native for a coordinator of ours, nuon for one that does not know the question", async () => {
    const ours = await coordinator();
    expect(await detect(ours)).toEqual({ ok: true, value: "native" });
    const foreign = await startScriptedServer(() => ({ status: 404, body: "404 page not found", type: "text/plain" }));
    open.push(() => foreign.stop());
    expect(await detect(foreign)).toEqual({ ok: true, value: "nuon" });
  });

  test("is found although the server is down, answers 500 or an HTML page at first", async () => {
    const server = await coordinator();
    server.script("GET /v1/capabilities", serverError, htmlPage(200), htmlPage(502));
    await server.down();
    const found = detect(server);
    await Bun.sleep(30);
    await server.up();
    expect(await found).toEqual({ ok: true, value: "native" });
  });

  test("of a coordinator with another protocol is an error that says to update", async () => {
    const server = await coordinator();
    server.script("GET /v1/capabilities", {
      status: 200,
      body: '{"name":"runner-coordinator","extension":9,"version":"9"}',
    });
    const found = await detect(server);
    expect(found.ok ? "" : found.error.remedy).toContain("Update");
  });
});

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    if (tries > 500) throw new Error("it did not happen within 5 s");
    await Bun.sleep(10);
  }
}
