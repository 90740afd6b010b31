import { afterEach, describe, expect, test } from "bun:test";
import { createSystemLog } from "../../internal/kit/base/system-log.ts";
import { MODE_GROUPS } from "../../internal/protocol/enums.ts";
import type { Completion, RenewRequest } from "../../internal/protocol/native.ts";
import type { Announcement, ControlPlane, Work } from "../../internal/runner/controlplane/control-plane.ts";
import { createNuonControlPlane } from "../../internal/runner/controlplane/nuon.ts";
import { type NuonServer, startNuonServer } from "../lib/nuon-server.ts";
import { quickClock } from "../lib/quick-clock.ts";
import { busy, type Fault, htmlPage, serverError } from "../lib/scripted-server.ts";

const RESERVE = "POST /v1/runner-jobs/*/executions";
const EXECUTION = "PATCH /v1/runner-jobs/*/executions/*";
const groups = MODE_GROUPS.install;
const slots = Object.fromEntries(groups.map((group) => [group, 2]));
const KEY = "claim-key-of-a-test";

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

async function setUp(options: { readonly server?: NuonServer; readonly clock?: ReturnType<typeof quickClock> } = {}) {
  const server = options.server ?? (await startNuonServer());
  const stop = new AbortController();
  open.push(() => stop.abort());
  if (!options.server) open.push(() => server.stop());
  const lines: string[] = [];
  const plane = createNuonControlPlane({
    url: server.url,
    runnerId: server.runnerId,
    token: server.token,
    version: "1.2.3",
    clock: options.clock ?? quickClock(20),
    random: () => 0.5,
    log: createSystemLog({ format: "text", level: "info", write: (line) => lines.push(line) }),
  });
  return { server, plane, signal: stop.signal, stop, lines };
}

const announcement: Announcement = {
  instanceId: "ins1",
  mode: "install",
  version: "1.2.3",
  inventory: { hostname: "h", os: "linux", arch: "amd64", cpus: 1, memory_bytes: 1, gpus: [], labels: {} },
  slots,
  jobTypes: [],
  held: [],
  aliveSince: Date.now() - 60_000,
};

async function claimed(plane: ControlPlane, signal: AbortSignal, key = KEY): Promise<readonly Work[]> {
  const granted = await plane.claim({ key, slots, groups, after: 0 }, signal);
  if (!granted.ok) throw granted.error;
  return granted.value.work;
}

async function firstOf(plane: ControlPlane, signal: AbortSignal, key = KEY): Promise<Work> {
  for (let tries = 0; tries < 20; tries++) {
    const [work] = await claimed(plane, signal, key);
    if (work) return work;
  }
  throw new Error("nothing was granted");
}

const completion = (work: Work, more: Partial<Completion> = {}): Completion => ({
  execution_id: work.execution.id,
  epoch: 1,
  status: "finished",
  reason: "",
  code: "",
  result: null,
  outputs: { answer: 42 },
  sensitive_outputs: [],
  steps: [],
  ...more,
});

/** What the loop does with a job, as far as a control plane sees it. */
async function runThrough(plane: ControlPlane, work: Work, signal: AbortSignal, end: Partial<Completion> = {}) {
  const { execution } = work;
  for (const _ of ["fetch", "validate", "initialize"]) await plane.status?.(execution, "initializing", signal);
  for (const _ of ["execute", "outputs"]) await plane.status?.(execution, "in-progress", signal);
  let cleanups = 0;
  const cleanup = async () => {
    cleanups += 1;
    return null;
  };
  const result = { contents_compressed: "cGxhbg==", contents_display_compressed: "e30=", success: true };
  const ended = await plane.complete(execution, completion(work, { result, ...end }), cleanup, signal);
  return { ended, cleanups };
}

describe("a job on a Nuon control plane", () => {
  test("is reported in the server's order: result, outputs, cleaning-up, cleanup, terminal status last", async () => {
    const { server, plane, signal } = await setUp();
    await plane.connect(announcement, signal);
    server.addJob({ type: "noop-deploy", group: "deploy" });
    const work = await firstOf(plane, signal);
    const { cleanups } = await runThrough(plane, work, signal);

    const [execution] = server.executions;
    expect(execution?.statuses.join(" ")).toBe(
      "initializing initializing initializing in-progress in-progress cleaning-up finished",
    );
    const path = `/v1/runner-jobs/${work.job.id}/executions/${work.execution.id}`;
    const calls = server.seen.filter((one) => one.path.startsWith(path));
    const last = calls.slice(-5).map((one) => `${one.method} ${one.path.slice(path.length)}`.trim());
    expect(last).toEqual(["POST /result", "POST /outputs", "PATCH", "PATCH", "GET"]);
    expect(execution?.outputs).toEqual({ answer: 42 });
    expect(cleanups).toBe(1);
  });

  test("is taken oldest first, although lists are newest first", async () => {
    const { server, plane, signal } = await setUp();
    await plane.connect(announcement, signal);
    const jobs = [1, 2, 3, 4].map((n) => server.addJob({ group: "deploy", created_at: `2026-11-21T10:00:0${n}Z` }));
    const work = await claimed(plane, signal);
    expect(work.map((one) => one.job.id)).toEqual(jobs.slice(0, 2).map((job) => job.id));
  });

  test("that a full list hides is found", async () => {
    const { server, plane, signal } = await setUp();
    await plane.connect(announcement, signal);
    const jobs = Array.from({ length: 15 }, (_, n) =>
      server.addJob({ group: "deploy", created_at: new Date(1_800_000_000_000 + n * 1_000).toISOString() }),
    );
    const [work] = await claimed(plane, signal);
    expect(work?.job.id).toBe(jobs[0]?.id ?? "");
  });

  test("of a group without room is left to others", async () => {
    const { server, plane, signal } = await setUp();
    await plane.connect(announcement, signal);
    server.addJob({ group: "deploy" });
    const granted = await plane.claim({ key: KEY, slots: { deploy: 0, sync: 1 }, groups, after: 0 }, signal);
    expect(granted.ok && granted.value.work).toEqual([]);
    expect(server.of(RESERVE)).toEqual([]);
  });

  test("has its plan as the exact text the server stores, or none", async () => {
    const { server, plane, signal } = await setUp();
    await plane.connect(announcement, signal);
    const plan = '{ "vars": {"b":1,  "a": 2} }\n';
    server.addJob({ group: "deploy", plan });
    server.addJob({ group: "operations" });
    const works = await claimed(plane, signal);
    const plans = await Promise.all(works.map((work) => work.loadPlan?.(signal)));
    expect(plans.map((one) => (one?.ok ? one.value : "failed")).sort()).toEqual([plan, null].sort());
  });

  test("ends before the server would give it up: the lease has a margin", async () => {
    const { server, plane, signal } = await setUp();
    await plane.connect(announcement, signal);
    server.addJob({ group: "deploy", execution_timeout: 60_000_000_000 });
    const work = await firstOf(plane, signal);
    expect(work.leaseTtlMs).toBeLessThanOrEqual(54_000);
    expect(work.job.execution_timeout).toBeLessThanOrEqual(54_000_000_000);
  });

  test("reports its action steps by their run id, in order", async () => {
    const { server, plane, signal } = await setUp();
    await plane.connect(announcement, signal);
    const metadata = { install_id: "inl1", action_workflow_id: "acw1" };
    server.addJob({ type: "actions-workflow", group: "actions", metadata });
    const { execution } = await firstOf(plane, signal);
    const step = { name: "one", started_at: null, duration_ms: 1.5, exit_code: null };
    void plane.workStep?.(execution, { ...step, status: "in-progress" }, "iar1", signal);
    await plane.workStep?.(execution, { ...step, status: "finished" }, "iar1", signal);
    expect(server.steps.at(-1)).toEqual({ id: "iar1", status: "finished", execution_duration: 1_500_000 });
    expect(server.of("PUT /v1/installs/inl1/action-workflow-runs/acw1/steps/iar1").length).toBeGreaterThan(0);
  });

  test("that fails says why; one that is cancelled says cancelled", async () => {
    const { server, plane, signal } = await setUp();
    await plane.connect(announcement, signal);
    server.addJob({ group: "deploy" });
    server.addJob({ group: "sync" });
    const [one, two] = await claimed(plane, signal);
    if (!one || !two) throw new Error("two jobs expected");
    await runThrough(plane, one, signal, { status: "failed", reason: "terraform is missing", result: null });
    await runThrough(plane, two, signal, { status: "cancelled", reason: "cancelled", result: null });
    expect(server.executions.map((execution) => execution.status).sort()).toEqual(["cancelled", "failed"]);
    const sent = server.of("POST /v1/runner-jobs/*/executions/*/result").map((seen) => seen.body.toString());
    expect(sent).toHaveLength(1);
    expect(sent[0]).toContain("terraform is missing");
  });

  test("of type shut-down with force ends its job too, a graceful one does not", async () => {
    const { server, plane, signal } = await setUp();
    await plane.connect(announcement, signal);
    const forced = server.addJob({ type: "shut-down", metadata: { shutdown_type: "force" } });
    const graceful = server.addJob({ type: "shut-down", metadata: { shutdown_type: "graceful" } });
    for (const work of await claimed(plane, signal)) await runThrough(plane, work, signal, { result: null });
    expect([forced.status, graceful.status]).toEqual(["finished", "in-progress"]);
  });
});

describe("a reservation", () => {
  const lost: [string, Fault][] = [
    ["is cut after the server did it", { cut: "after" }],
    ["never comes", { hang: "after" }],
    ["comes as half a document", { cut: "half" }],
  ];
  for (const [what, fault] of lost) {
    test(`whose answer ${what} is recognised and never sent twice`, async () => {
      const { server, plane, signal } = await setUp();
      await plane.connect(announcement, signal);
      const job = server.addJob({ group: "deploy" });
      server.script(RESERVE, fault);
      const work = await firstOf(plane, signal);
      expect(work.execution.id).toBe(server.executions[0]?.id ?? "");
      expect(server.of(RESERVE)).toHaveLength(1);
      expect(job.status).toBe("in-progress");
    });
  }

  test("that may not have arrived is asked about, not sent again", async () => {
    const { server, plane, signal } = await setUp();
    await plane.connect(announcement, signal);
    server.addJob({ group: "deploy" });
    server.script(RESERVE, { cut: "before" });
    expect(await claimed(plane, signal)).toEqual([]);
    expect(server.of(RESERVE)).toHaveLength(1);
  });

  test("refused by the server itself is tried again while the job is still there", async () => {
    const { server, plane, signal } = await setUp();
    await plane.connect(announcement, signal);
    server.addJob({ group: "deploy" });
    server.script(RESERVE, serverError, busy(1));
    const work = await firstOf(plane, signal);
    expect(work.execution.id).toBe(server.executions[0]?.id ?? "");
    expect(server.executions).toHaveLength(1);
  });

  test("lost to another process leaves that process's job alone", async () => {
    const { server, plane, signal } = await setUp();
    await plane.connect(announcement, signal);
    const job = server.addJob({ group: "deploy" });
    server.script(RESERVE, { status: 409, body: '{"error":"job already reserved"}' });
    job.status = "available";
    const claim = plane.claim({ key: KEY, slots, groups, after: 0 }, signal);
    await until(() => server.of(RESERVE).length === 1);
    job.status = "in-progress";
    const granted = await claim;
    expect(granted.ok && granted.value.work).toEqual([]);
    expect(job.status).toBe("in-progress");
  });

  test("made before a crash is taken up by the next process under the same key", async () => {
    const first = await setUp();
    await first.plane.connect(announcement, first.signal);
    first.server.addJob({ group: "deploy" });
    const work = await firstOf(first.plane, first.signal);

    const next = await setUp({ server: first.server });
    await next.plane.connect(announcement, next.signal);
    const again = await firstOf(next.plane, next.signal);
    expect(again.execution.id).toBe(work.execution.id);
    expect(first.server.of(RESERVE)).toHaveLength(1);
  });
});

describe("one outcome whatever the server does", () => {
  const faults: [string, Fault][] = [
    ["500", serverError],
    ["an HTML page", htmlPage(502)],
    ["an HTML page with a success status", htmlPage(200)],
    ["429 with Retry-After", busy(1)],
    ["a cut before it acts", { cut: "before" }],
    ["a cut after it acted", { cut: "after" }],
    ["half an answer", { cut: "half" }],
    ["silence", { hang: "before" }],
  ];
  for (const [name, fault] of faults) {
    test(`${name} at every call of the end: nothing is lost, nothing is there twice`, async () => {
      const { server, plane, signal } = await setUp();
      await plane.connect(announcement, signal);
      server.addJob({ group: "deploy" });
      const work = await firstOf(plane, signal);
      for (const route of [`${RESERVE}/*/result`, `${RESERVE}/*/outputs`, EXECUTION])
        server.script(route, fault, fault);
      const { ended, cleanups } = await runThrough(plane, work, signal);
      expect(ended.ok && ended.value.recorded).toBe(true);
      expect(server.executions).toHaveLength(1);
      expect(server.executions[0]).toMatchObject({ status: "finished", outputs: { answer: 42 } });
      expect(server.executions[0]?.result).toBeDefined();
      expect(cleanups).toBe(1);
    });
  }

  const tokenRefused: Fault = { status: 401, body: '{"error":"token is expired","user_error":true}' };

  test("a token that is taken away over the end and given back costs neither result nor outputs", async () => {
    const { server, plane, signal } = await setUp();
    await plane.connect(announcement, signal);
    server.addJob({ group: "deploy" });
    const work = await firstOf(plane, signal);
    for (const route of [`${RESERVE}/*/result`, `${RESERVE}/*/outputs`])
      server.script(route, tokenRefused, tokenRefused);
    server.script(EXECUTION, ...Array<Fault>(8).fill(tokenRefused));
    const { ended, cleanups } = await runThrough(plane, work, signal);
    expect(ended).toMatchObject({ ok: true, value: { recorded: true } });
    expect(server.executions[0]).toMatchObject({ status: "finished", outputs: { answer: 42 } });
    expect(cleanups).toBe(1);
  });

  test("with a token that stays away nothing is cleaned up, and the next process delivers the same report", async () => {
    const first = await setUp();
    await first.plane.connect(announcement, first.signal);
    first.server.addJob({ group: "deploy" });
    const work = await firstOf(first.plane, first.signal);
    first.server.always(`${RESERVE}/*/result`, tokenRefused);
    const refused = await runThrough(first.plane, work, first.signal);
    expect(refused).toMatchObject({ ended: { ok: false, error: { kind: "refused" } }, cleanups: 0 });
    expect(first.server.executions[0]?.statuses).not.toContain("failed");

    first.server.always(`${RESERVE}/*/result`, null);
    const next = await setUp({ server: first.server });
    const { ended, cleanups } = await runThrough(next.plane, work, next.signal);
    expect(ended).toMatchObject({ ok: true, value: { recorded: true } });
    expect(first.server.executions[0]).toMatchObject({ status: "finished", outputs: { answer: 42 } });
    expect(cleanups).toBe(1);
  });

  test("an outage over the end of a step does not hold up the work, and the step's end arrives", async () => {
    const { server, plane, signal } = await setUp();
    await plane.connect(announcement, signal);
    server.addJob({ type: "actions-workflow", group: "actions" });
    const work = await firstOf(plane, signal);
    await server.down();
    const step = { name: "one", status: "finished", started_at: null, duration_ms: 1, exit_code: 0 } as const;
    await plane.workStep?.(work.execution, step, "iar1", signal);
    await plane.status?.(work.execution, "in-progress", signal);
    const ending = runThrough(plane, work, signal);
    await server.up();
    expect((await ending).ended.ok).toBe(true);
    expect(server.steps.map((one) => one.id)).toEqual(["iar1"]);
    expect(server.executions[0]?.statuses.at(-1)).toBe("finished");
  });

  test("outputs the server refuses for good make the job failed, not a success without outputs", async () => {
    const { server, plane, signal } = await setUp();
    await plane.connect(announcement, signal);
    server.addJob({ group: "deploy" });
    const work = await firstOf(plane, signal);
    server.always(`${RESERVE}/*/outputs`, serverError);
    await runThrough(plane, work, signal);
    expect(server.executions[0]?.status).toBe("failed");
  });
});

describe("a terminal status", () => {
  const READ = "GET /v1/runner-jobs/*/executions/*";
  const nothing = async () => null;

  test("that the server took and did not keep is written again", async () => {
    const { server, plane, signal } = await setUp();
    await plane.connect(announcement, signal);
    server.addJob({ group: "deploy" });
    const work = await firstOf(plane, signal);
    // The first is `cleaning-up`.
    server.script(EXECUTION, {}, { status: 200, body: '{"status":"finished"}' });
    const ended = await plane.complete(work.execution, completion(work), nothing, signal);
    expect(ended).toEqual({ ok: true, value: { recorded: true, reason: "" } });
    expect(server.executions[0]?.statuses).toEqual(["cleaning-up", "finished"]);
    expect(server.of(EXECUTION)).toHaveLength(3);
  });

  test("that somebody else has overwritten is told as not recorded, and left", async () => {
    const { server, plane, signal } = await setUp();
    await plane.connect(announcement, signal);
    server.addJob({ group: "deploy" });
    const work = await firstOf(plane, signal);
    server.script(READ, { status: 200, body: '{"id":"x","status":"timed-out"}' });
    const ended = await plane.complete(work.execution, completion(work), nothing, signal);
    expect(ended).toEqual({ ok: true, value: { recorded: false, reason: "the control plane has it as timed-out" } });
    expect(server.of(EXECUTION)).toHaveLength(2);
  });

  const silent: [string, Fault][] = [
    ["a server that fails", serverError],
    ["a server without such a route", { status: 404, body: "404 page not found", type: "text/plain" }],
  ];
  for (const [who, fault] of silent) {
    test(`that ${who} cannot show is believed`, async () => {
      const { server, plane, signal } = await setUp();
      await plane.connect(announcement, signal);
      server.addJob({ group: "deploy" });
      const work = await firstOf(plane, signal);
      server.always(READ, fault);
      const ended = await plane.complete(work.execution, completion(work), nothing, signal);
      expect(ended.ok && ended.value.recorded).toBe(true);
    });
  }
});

describe("a running job", () => {
  const progress = (work: Work): RenewRequest["executions"] => [
    { execution_id: work.execution.id, epoch: 1, status: "in-progress", phase: "execute", steps: [] },
  ];
  for (const [status, seen] of [
    ["cancelled", "directives"],
    ["timed-out", "lost"],
    ["failed", "lost"],
  ] as const) {
    test(`that the server has as ${status} is noticed`, async () => {
      const { server, plane, signal } = await setUp();
      await plane.connect(announcement, signal);
      const job = server.addJob({ group: "deploy" });
      const work = await firstOf(plane, signal);
      job.status = status;
      const answer = await plane.renew(progress(work), signal);
      expect(answer.ok && answer.value[seen].map((one) => "execution_id" in one && one.execution_id)).toEqual([
        work.execution.id,
      ]);
    });
  }

  test("a running job is looked at no more often than once a second", async () => {
    const { server, plane, signal } = await setUp({ clock: quickClock(1) });
    await plane.connect(announcement, signal);
    server.addJob({ group: "deploy" });
    const work = await firstOf(plane, signal);
    for (let n = 0; n < 5; n++) await plane.renew(progress(work), signal);
    expect(server.of("GET /v1/runner-jobs/*")).toHaveLength(1);
  });

  test("goes on while the server does not answer", async () => {
    const { server, plane, signal } = await setUp();
    await plane.connect(announcement, signal);
    server.addJob({ group: "deploy" });
    const work = await firstOf(plane, signal);
    await server.down();
    const answer = await plane.renew(progress(work), signal);
    expect(answer.ok && [answer.value.lost, answer.value.directives]).toEqual([[], []]);
    expect(answer.ok && answer.value.leases[0]?.ttlMs).toBeGreaterThan(0);
  });

  test("is resumed, stopped or cancelled after a restart as the server has it", async () => {
    const { server, plane, signal } = await setUp();
    await plane.connect(announcement, signal);
    const jobs = ["deploy", "sync", "actions", "sandbox"].map((group) => server.addJob({ group }));
    const works = await claimed(plane, signal);
    const held = jobs.map((job) => works.find((work) => work.job.id === job.id)?.execution.id ?? "");
    for (const [n, status] of ["in-progress", "cancelled", "timed-out", "finished"].entries()) {
      const job = jobs[n];
      if (job) job.status = status;
    }
    const next = await setUp({ server });
    const lease = (execution_id: string) => ({ execution_id, epoch: 1 });
    const session = await next.plane.connect(
      { ...announcement, held: [...held, "rununknown"].map(lease) },
      next.signal,
    );
    const verdicts = session.ok ? session.value.held.map((one) => one.verdict) : [];
    expect(verdicts).toEqual(["continue", "cancel", "stop", "stop", "stop"]);
  });
});

describe("signs of life", () => {
  test("heart-beats start at once and go on, with a process name and an alive_time that only grows", async () => {
    const { server, plane, signal } = await setUp();
    await plane.connect(announcement, signal);
    const beats = () => server.of("POST /v1/runners/*/heart-beats");
    await until(() => beats().length >= 3);
    const bodies = beats().map((one) => JSON.parse(one.body.toString()));
    expect(bodies[0]).toMatchObject({ process: "install", version: "1.2.3" });
    expect(bodies[0].alive_time).toBeGreaterThanOrEqual(60_000_000_000);
    expect(bodies[1].alive_time).toBeGreaterThan(bodies[0].alive_time);
  });

  test("a process is named as the Go runner names it, and has no name when it works every group", async () => {
    for (const [mode, process] of [
      ["all", undefined],
      ["org", "build"],
      ["mng", "mng"],
    ] as const) {
      const { server, plane, signal } = await setUp();
      await plane.connect({ ...announcement, mode }, signal);
      await until(() => server.of("POST /v1/runners/*/heart-beats").length >= 1);
      const [beat] = server.of("POST /v1/runners/*/heart-beats");
      expect(JSON.parse(beat?.body.toString() ?? "").process).toBe(process);
    }
  });

  test("the beat follows the server's settings without a restart, and stays within what the server waits for", async () => {
    const clock = quickClock(20);
    const { server, plane, signal } = await setUp({ clock });
    const sleeps = (ms: number) => clock.slept.filter((one) => one > ms - 500 && one <= ms).length;
    await plane.connect(announcement, signal);
    await until(() => sleeps(5_000) >= 1);
    server.settings.heart_beat_timeout = 2_000_000_000;
    await plane.settings?.(signal);
    await until(() => sleeps(2_000) >= 2);
    server.settings.heart_beat_timeout = 60_000_000_000;
    await plane.settings?.(signal);
    await until(() => sleeps(7_000) >= 1);
    delete server.settings.heart_beat_timeout;
    await plane.settings?.(signal);
    const before = sleeps(5_000);
    await until(() => sleeps(5_000) > before);
  });

  test("a list that is null is an empty one", async () => {
    const { server, plane, signal } = await setUp();
    await plane.connect(announcement, signal);
    server.always("GET /v1/runners/*/jobs", { status: 200, body: "null" });
    expect(await claimed(plane, signal)).toEqual([]);
    server.always("GET /v1/runners/*/jobs", null);
    server.addJob({ group: "deploy" });
    expect(await claimed(plane, signal)).toHaveLength(1);
  });

  test("a lost or refused heart-beat is followed by the next", async () => {
    const { server, plane, signal } = await setUp();
    server.script("POST /v1/runners/*/heart-beats", serverError, { cut: "before" }, { status: 404, body: "{}" });
    await plane.connect(announcement, signal);
    await until(() => server.of("POST /v1/runners/*/heart-beats").length >= 5);
  });

  test("polls go per group until one list for all is proven, then one request serves", async () => {
    const { server, plane, signal } = await setUp();
    await plane.connect(announcement, signal);
    server.addJob({ group: "deploy" });
    await firstOf(plane, signal);
    const before = server.of("GET /v1/runners/*/jobs").length;
    expect(await claimed(plane, signal)).toEqual([]);
    const asked = server
      .of("GET /v1/runners/*/jobs")
      .slice(before)
      .map((one) => one.query.get("group"));
    expect(asked.length).toBeGreaterThan(1);
    expect(new Set(asked)).toEqual(new Set(["any"]));
  });
});

test("what happened to the runner is told to a Nuon control plane as an event among the metrics", async () => {
  const { server, plane, signal } = await setUp();
  const event = { id: "a", what: "update-rolled-back", why: "1.0.0 → 2.0.0: sick" } as const;
  expect((await plane.tell?.(event, signal))?.ok).toBe(true);
  const [told] = server.of("POST /v1/general/metrics");
  expect(JSON.parse(told?.body.toString() ?? "")).toEqual([
    {
      event: {
        title: "runner update-rolled-back",
        text: "1.0.0 → 2.0.0: sick",
        tags: [`runner_id:${server.runnerId}`],
      },
    },
  ]);
});

describe("metrics on a Nuon control plane", () => {
  const METRICS = "POST /v1/runners/*/metrics";

  test("go out while the settings ask for them, one resource with one point each", async () => {
    const { server, plane, signal } = await setUp({ clock: quickClock(600) });
    await plane.connect(announcement, signal);
    server.addJob({ group: "deploy" });
    await runThrough(plane, await firstOf(plane, signal), signal);
    await Bun.sleep(250);
    expect(server.of(METRICS)).toEqual([]);
    server.settings.enable_metrics = true;
    await plane.settings?.(signal);
    await until(() => server.of(METRICS).length >= 1);
    const sent = JSON.parse(server.of(METRICS)[0]?.body.toString() ?? "");
    expect(sent.resourceMetrics).toHaveLength(1);
    const { metrics } = sent.resourceMetrics[0].scopeMetrics[0];
    const points = (one: { gauge?: { dataPoints: unknown[] }; sum?: { dataPoints: unknown[] } }) =>
      (one.gauge ?? one.sum)?.dataPoints.length;
    expect(metrics.map(points)).toEqual([1, 1, 1]);
    expect(metrics.map((one: { name: string }) => one.name)).toEqual([
      "runner.alive_time",
      "runner.jobs.running",
      "runner.jobs.finished",
    ]);
    expect(metrics[2].sum.dataPoints[0].asInt).toBe("1");
  });

  test("that the server refuses are not sent again, and that is said once", async () => {
    const { server, plane, signal, lines } = await setUp({ clock: quickClock(600) });
    server.settings.enable_metrics = true;
    server.always(METRICS, { status: 404, body: "404 page not found", type: "text/plain" });
    await plane.connect(announcement, signal);
    await until(() => lines.some((line) => line.includes("refuses the runner's metrics")));
    await Bun.sleep(250);
    expect(server.of(METRICS)).toHaveLength(1);
  });
});

describe("a control plane that is away", () => {
  test("is waited for at start and said once", async () => {
    const { server, plane, signal, lines } = await setUp();
    await server.down();
    const session = plane.connect(announcement, signal);
    await Bun.sleep(150);
    await server.up();
    expect((await session).ok).toBe(true);
    expect(lines.filter((line) => line.includes("cannot be reached"))).toHaveLength(1);
    expect(lines.filter((line) => line.includes("is back"))).toHaveLength(1);
  });

  test("does not end polling; work that waits is found when it is back", async () => {
    const { server, plane, signal } = await setUp();
    await plane.connect(announcement, signal);
    await server.down();
    server.addJob({ group: "deploy" });
    const claim = firstOf(plane, signal);
    await Bun.sleep(150);
    await server.up();
    expect((await claim).job.group).toBe("deploy");
  });

  test("a wrong token ends the start at once and says what to check", async () => {
    const { server, signal } = await setUp();
    const { url, runnerId } = server;
    const plane = createNuonControlPlane({ url, runnerId, token: "wrong", version: "1" });
    const session = await plane.connect(announcement, signal);
    expect(session.ok ? null : session.error).toMatchObject({ kind: "refused" });
    expect(session.ok ? "" : session.error.remedy).toContain("RUNNER_API_TOKEN");
  });
});

describe("logs on a Nuon control plane", () => {
  const batch = {
    from: 0,
    to: 11,
    records: [
      {
        time: 1_795_229_950_942_214_803n,
        severity: "info",
        text: "hello world",
        source: "tool",
        partial: false,
        attributes: {},
      },
    ],
  } as const;

  test("arrive with the attributes and the resource the server indexes, uncompressed", async () => {
    const { server, plane, signal } = await setUp();
    await plane.connect(announcement, signal);
    server.addJob({ group: "deploy" });
    const { execution, job } = await firstOf(plane, signal);
    expect(await plane.logs(execution, batch, signal)).toEqual({ ok: true, value: { stored: 11 } });
    const [logs] = server.logs;
    expect(logs?.resource).toEqual({
      "org.id": "org1",
      env: "test",
      "runner.id": server.runnerId,
      "runner.version": "1.2.3",
      "service.name": "runner",
    });
    expect(logs?.records[0]).toMatchObject({ body: "hello world", severityNumber: 9, time: batch.records[0].time });
    expect(logs?.records[0]?.attributes).toMatchObject({
      "runner_job.id": job.id,
      "runner_job_execution.id": execution.id,
      "log_stream.id": execution.logStreamId,
    });
  });

  test("are not sent when the server has logging switched off", async () => {
    const { server, plane, signal } = await setUp();
    delete server.settings.enable_logging; // zero values are left out on the wire
    await plane.connect(announcement, signal);
    server.addJob({ group: "deploy" });
    const { execution } = await firstOf(plane, signal);
    expect(await plane.logs(execution, batch, signal)).toEqual({ ok: true, value: { stored: 11 } });
    expect(server.of("POST /v1/log-streams/*/logs")).toEqual([]);
  });

  test("follow the server's switch without a restart, once its settings are read again", async () => {
    const { server, plane, signal } = await setUp();
    await plane.connect(announcement, signal);
    server.addJob({ group: "deploy" });
    const { execution } = await firstOf(plane, signal);
    server.settings.enable_logging = false;
    const read = await plane.settings?.(signal);
    expect(read?.ok && read.value.enable_logging).toBe(false);
    await plane.logs(execution, batch, signal);
    expect(server.of("POST /v1/log-streams/*/logs")).toEqual([]);
    server.settings.enable_logging = true;
    await plane.settings?.(signal);
    await plane.logs(execution, batch, signal);
    expect(server.of("POST /v1/log-streams/*/logs")).toHaveLength(1);
  });
});

describe("an address with a path", () => {
  test("is kept for logs and terraform, and dropped for the API, which lies at the host's root", async () => {
    const server = await startNuonServer();
    open.push(() => server.stop());
    const { runnerId, token } = server;
    const url = `${server.url}/nuon/`;
    const plane = createNuonControlPlane({ url, runnerId, token, version: "1", clock: quickClock(20) });
    const stop = new AbortController();
    open.push(() => stop.abort());
    const { signal } = stop;
    const session = await plane.connect(announcement, signal);
    expect(session.ok).toBe(true);
    server.addJob({ group: "deploy" });
    const { execution } = await firstOf(plane, signal);
    const env = plane.state(execution).terraformEnv("tfw1");
    expect(env.TF_HTTP_ADDRESS).toStartWith(`${server.url}/nuon/v1/terraform-backend?`);
    const record = { time: 1n, severity: "info", text: "x", source: "tool", partial: false, attributes: {} } as const;
    await plane.logs(execution, { from: 0, to: 1, records: [record] }, signal);
    const log = server.seen.find((one) => one.path.includes("log-streams"));
    expect(log?.path).toBe(`/nuon/v1/log-streams/${execution.logStreamId}/logs`);
  });
});

describe("terraform state on a Nuon server", () => {
  test("is reached by a token in the environment alone, and the token is known as a secret", async () => {
    const { server, plane, signal } = await setUp();
    await plane.connect(announcement, signal);
    server.addJob({ group: "deploy" });
    const { execution, job } = await firstOf(plane, signal);
    const env = plane.state(execution).terraformEnv("tfw1");
    expect(env.TF_HTTP_ADDRESS).toBe(
      `${server.url}/v1/terraform-backend?token=${server.token}&workspace_id=tfw1&job_id=${job.id}`,
    );
    expect(env.TF_HTTP_LOCK_ADDRESS).toContain(`/v1/terraform-workspaces/tfw1/lock?token=${server.token}&job_id=`);
    expect(env).toMatchObject({ TF_HTTP_LOCK_METHOD: "POST", TF_HTTP_UNLOCK_METHOD: "POST", TF_HTTP_RETRY_MAX: "8" });
    expect(plane.secrets(execution)).toContain(server.token);
  });

  test("an errored state is saved, and the display form is a JSON string of base64", async () => {
    const { server, plane, signal } = await setUp();
    await plane.connect(announcement, signal);
    server.addJob({ group: "deploy" });
    const state = plane.state((await firstOf(plane, signal)).execution);
    expect(await state.pushErrored("tfw1", new TextEncoder().encode('{"serial":2}'))).toBe(true);
    await state.putStateJson("tfw1", new TextEncoder().encode('{"format_version":"1.0"}'));
    expect(server.states.get("tfw1")).toEqual(['{"serial":2}']);
    const sent = JSON.parse(server.stateJson.get("tfw1") ?? "");
    expect(Buffer.from(sent, "base64").toString()).toBe('{"format_version":"1.0"}');
  });
});

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    if (tries > 500) throw new Error("it did not happen within 5 s");
    await Bun.sleep(10);
  }
}
