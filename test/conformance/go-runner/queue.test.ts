import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { type GoBed, type Identity, startGoBed, until } from "./lib/bed.ts";
import type { GoHandlers } from "./lib/context.ts";
import type { GoRunner } from "./lib/go-runner.ts";
import { HANDLERS } from "./lib/handlers.ts";
import type { SdkError } from "./lib/sdk.ts";

/** What a Go runner is offered, and what never (DESIGN sections 4 and 5, nuon-runner-api.md 12.1 nos. 5, 14, 17). */
let bed: GoBed;
beforeAll(async () => {
  bed = await startGoBed();
  mkdirSync(bed.path("folder"));
  writeFileSync(bed.path("folder", "go.sh"), "#!/bin/sh\necho hi\n", { mode: 0o755 });
  writeFileSync(bed.path("folder", "main.tf"), 'output "a" { value = 1 }\n');
});
afterAll(() => bed.end());

const slow = (ms: number): GoHandlers => ({
  ...HANDLERS,
  "noop-deploy": () => ({ exec: () => Bun.sleep(ms), outputs: async () => ({}) }),
});

describe("a Go runner", () => {
  test("never works on two jobs at once, whatever their groups, and works each once", async () => {
    const identity = await bed.identity();
    const types = ["noop", "noop-deploy", "noop-sync", "health-check", "noop-build", "noop"];
    const ids: string[] = [];
    for (const type of types) ids.push(await bed.submit({ type }, identity.id));
    const runner = await bed.start(identity, { pace: 0.05 });
    await until("all were worked", () => runner.worked.length === ids.length, 30_000);
    expect(runner.busy()).toEqual({ now: 0, most: 1 });
    expect(runner.worked.map((one) => one.jobId).sort()).toEqual([...ids].sort());
    // Two loops may hear of different jobs at once: the slower one is refused and comes again.
    for (const status of runner.refusedReservations) expect(status).toBe(409);
    for (const id of ids) expect((await bed.show(id)).status).toBe("finished");
  }, 60_000);

  test("is offered one job only, however many loops ask within the same millisecond", async () => {
    const identity = await bed.identity();
    const sdk = bed.sdk(identity);
    const groups = ["sandbox", "sync", "actions", "build", "deploy", "operations"];
    const poll = async () => (await Promise.all(groups.map((group) => sdk.jobs(identity.id, group)))).flat();
    await poll();
    const first = await bed.submit({ type: "noop-deploy" }, identity.id);
    await bed.submit({ type: "noop" }, identity.id);
    expect((await poll()).map((job) => job.id)).toEqual([first]);
    await sdk.reserve(first);
    expect(await poll()).toEqual([]);
  });

  test("gets management work beside a job: its other process takes that", async () => {
    const identity = await bed.identity();
    const sdk = bed.sdk(identity);
    for (const group of ["operations", "management"]) await sdk.jobs(identity.id, group);
    const noop = await bed.submit({ type: "noop" }, identity.id);
    await sdk.reserve(noop);
    const manage = await bed.submit({ type: "mng-shut-down" }, identity.id);
    const [offered] = await sdk.jobs(identity.id, "management");
    expect(offered?.id).toBe(manage);
    expect((await sdk.reserve(manage)).status).toBe("pending");
  });

  test("is offered nothing after a cancel until the loop that worked on the job asks again", async () => {
    const identity = await bed.identity();
    const first = await bed.submit({ type: "noop-deploy" }, identity.id);
    const runner = await bed.start(identity, { pace: 0.05, handlers: slow(3_000) });
    await bed.reaches(first, "in-progress");
    const second = await bed.submit({ type: "noop" }, identity.id);
    await bed.api("POST", `/jobs/${first}/cancel`, {});
    await Bun.sleep(1_500);
    expect(await bed.show(second)).toMatchObject({ status: "queued", reason: "group_busy" });
    await bed.reaches(second, "finished");
    expect(runner.busy().most).toBe(1);
  }, 30_000);
});

describe("two processes with one runner id", () => {
  test("race for a job: one gets it, the others a refusal without any effect on it", async () => {
    const identity = await bed.identity();
    const processes = Array.from({ length: 6 }, () => bed.sdk(identity));
    await Promise.all(processes.map((sdk) => sdk.jobs(identity.id, "operations")));
    const job = await bed.submit({ type: "noop" }, identity.id);
    await Promise.all(processes.map((sdk) => sdk.jobs(identity.id, "operations")));
    const answers = await Promise.allSettled(processes.map((sdk) => sdk.reserve(job)));
    const won = answers.filter((answer) => answer.status === "fulfilled");
    const lost = answers.filter((answer) => answer.status === "rejected");
    expect([won.length, lost.length]).toEqual([1, 5]);
    for (const { reason } of lost) expect((reason as SdkError).status).toBe(409);
    const doc = await bed.show(job);
    expect(doc).toMatchObject({ status: "in-progress" });
    expect(doc.executions).toHaveLength(1);
  });

  test("share the work: each job is worked once, and both go on polling", async () => {
    const identity = await bed.identity();
    const ids: string[] = [];
    for (let jobs = 0; jobs < 4; jobs++) ids.push(await bed.submit({ type: "health-check" }, identity.id));
    const [one, two] = [await bed.start(identity, { pace: 0.05 }), await bed.start(identity, { pace: 0.05 })];
    await until("all were worked", () => one.worked.length + two.worked.length === ids.length);
    const worked = [...one.worked, ...two.worked].map((job) => job.jobId).sort();
    expect(worked).toEqual([...ids].sort());
    for (const id of ids) expect((await bed.show(id)).executions).toHaveLength(1);
    for (const status of [...one.refusedReservations, ...two.refusedReservations]) expect(status).toBe(409);
  }, 30_000);
});

describe("work that only our own runner can do waits with no_compatible_runner:", () => {
  let identity: Identity;
  let runner: GoRunner;
  beforeAll(async () => {
    identity = await bed.identity();
    runner = await bed.start(identity, { pace: 0.05 });
    await until("it is known", async () => (await bed.runner(identity.id)).session !== null);
  });
  const terraform = { source: { path: "./folder" }, workspace: "plain", version: "1.11.4" };
  const step = { name: "one", source: { path: "./folder" }, command: "./go.sh" };
  const ours: Readonly<Record<string, object>> = {
    "a script": { type: "script", spec: { language: "shell", code: "echo hi" } },
    "a container": { type: "container", plan: {} },
    "an action with a packed folder": { type: "actions-workflow", spec: { steps: [step] } },
    "an action with quotes in a command, which a Go runner would split": {
      type: "actions-workflow",
      spec: { steps: [{ name: "one", command: `printf %s "two words"` }] },
    },
    "an action given as an exact plan without steps": {
      type: "actions-workflow",
      plan: { id: "iar1", install_id: "inl1", steps: [] },
    },
    "terraform over plain HTTP, where no Go runner can fetch its source": {
      type: "terraform-deploy",
      operation: "plan",
      spec: terraform,
    },
  };
  for (const [name, job] of Object.entries(ours)) {
    test(name, async () => {
      const id = await bed.submit(job, identity.id);
      await Bun.sleep(1_200);
      expect(await bed.show(id)).toMatchObject({ status: "queued", reason: "no_compatible_runner" });
      expect(runner.worked).toEqual([]);
      const sdk = bed.sdk(identity);
      expect(await sdk.reserve(id).catch((error: SdkError) => error.status)).toBeGreaterThanOrEqual(404);
      expect((await bed.show(id)).executions).toEqual([]);
    });
  }
});
