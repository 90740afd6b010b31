import { afterEach, beforeEach, describe, expect } from "bun:test";
import {
  addRunner,
  type Control,
  cleanAfter,
  outcomes,
  type RunnerHandle,
  startControl,
  terminalOf,
} from "./lib/control.ts";
import { type Sample, terraform, terraformTest } from "./lib/jobs.ts";
import { type Bed, makeBed, until } from "./lib/processes.ts";
import { startProxy } from "./lib/proxy.ts";

const APPLIED = ["begin", "worked"];
const KILLED = 137;

let bed: Bed;
let control: Control;
let runner: RunnerHandle;
beforeEach(async () => {
  bed = makeBed();
});
afterEach(() => bed.end());

async function start(options: { env?: Record<string, string>; flags?: string[] } = {}): Promise<void> {
  control = await startControl(bed, options);
  runner = await addRunner(bed, control);
}

/** A change whose plan waits for a person. */
async function waitingChange(options: Parameters<typeof terraform>[1] = {}): Promise<{ id: string; sample: Sample }> {
  const sample = terraform(bed, { approval: true, ...options });
  const id = await control.submit(sample.file);
  await becomes(id, "approval-awaiting");
  return { id, sample };
}

const becomes = (id: string, status: string) =>
  until(`${id} is ${status}`, async () => {
    const doc = await control.show(id).catch(() => null);
    return doc?.status === status ? doc : null;
  });

const approve = (id: string) => control.post(`/jobs/${id}/approve`, { reason: "looks right" });

/** Finished by exactly one apply that did its work once; nothing is locked or left. */
async function appliedOnce(id: string, sample: Sample): Promise<void> {
  const doc = await control.ended(id);
  expect([doc.status, doc.reason]).toEqual(["finished", ""]);
  expect(sample.traces()).toEqual(APPLIED);
  expect(doc.jobs).toHaveLength(2);
  expect(doc.executions).toHaveLength(2);
  expect(outcomes(doc)).toEqual(["finished"]);
  expect(terminalOf(doc)).toEqual(["finished"]);
  await cleanAfter(bed, control, runner);
}

describe("the coordinator killed with SIGKILL around an approval", () => {
  for (const point of ["coordinator.complete.before", "coordinator.complete.after"]) {
    terraformTest(
      `at ${point} of the plan: after its restart the change waits, and is approved and applied once`,
      async () => {
        await start({ env: { RUNNER_FAILPOINT: point } });
        const sample = terraform(bed, { approval: true });
        const id = await control.submit(sample.file);
        expect(await control.proc.exited).toBe(KILLED);
        await control.restart();
        const doc = await becomes(id, "approval-awaiting");
        expect(doc.events.filter(({ what }) => what === "approval-awaiting")).toHaveLength(1);
        expect((await approve(id)).status).toBe(200);
        await appliedOnce(id, sample);
      },
      60_000,
    );
  }

  terraformTest(
    "while the change waits: it waits on, and is approved after the restart",
    async () => {
      await start();
      const { id, sample } = await waitingChange();
      await control.restart();
      expect((await control.show(id)).status).toBe("approval-awaiting");
      expect((await approve(id)).status).toBe(200);
      await appliedOnce(id, sample);
    },
    60_000,
  );

  terraformTest(
    "before the approval is stored: the change still waits, and nothing was applied",
    async () => {
      await start();
      const { id, sample } = await waitingChange();
      await control.restart({ RUNNER_FAILPOINT: "coordinator.approve.before" });
      await approve(id).catch(() => null);
      expect(await control.proc.exited).toBe(KILLED);
      await control.restart();
      const doc = await control.show(id);
      expect([doc.status, doc.jobs.length, sample.traces()]).toEqual(["approval-awaiting", 1, []]);
      expect((await approve(id)).status).toBe(200);
      await appliedOnce(id, sample);
    },
    60_000,
  );

  terraformTest(
    "after it, before the answer: the repeated approval is told who approved, and the change is applied once",
    async () => {
      await start();
      const { id, sample } = await waitingChange();
      await control.restart({ RUNNER_FAILPOINT: "coordinator.approve.after" });
      await approve(id).catch(() => null);
      expect(await control.proc.exited).toBe(KILLED);
      await control.restart();
      const repeated = await approve(id);
      expect(repeated.status).toBe(409);
      expect(await repeated.text()).toContain("approved by admin");
      await appliedOnce(id, sample);
    },
    60_000,
  );

  terraformTest(
    "between the approval and the start of the apply job: it starts once when both are back",
    async () => {
      await start();
      const { id, sample } = await waitingChange();
      await runner.proc.kill9();
      expect((await approve(id)).status).toBe(200);
      await control.restart();
      runner.proc = runner.start();
      await appliedOnce(id, sample);
    },
    60_000,
  );

  terraformTest(
    "until its time is over: the change has expired, cannot be approved, and nothing was applied",
    async () => {
      await start({ flags: ["--approval-expiry", "3s"] });
      const { id, sample } = await waitingChange();
      await control.proc.kill9();
      await Bun.sleep(3_200);
      await control.restart();
      const doc = await becomes(id, "approval-expired");
      const late = await approve(id);
      expect(late.status).toBe(409);
      expect(await late.text()).toContain("approval-expired");
      expect([doc.jobs.length, sample.traces()]).toEqual([1, []]);
      expect(terminalOf(doc)).toEqual(["approval-expired"]);
      await cleanAfter(bed, control, runner);
    },
    60_000,
  );

  terraformTest(
    "after a waiting change was cancelled: it stays cancelled and cannot be approved",
    async () => {
      await start();
      const { id, sample } = await waitingChange();
      expect((await control.post(`/jobs/${id}/cancel`)).status).toBe(200);
      await control.restart();
      expect((await approve(id)).status).toBe(409);
      const doc = await control.show(id);
      expect([doc.status, doc.jobs.length, sample.traces()]).toEqual(["cancelled", 1, []]);
      expect(terminalOf(doc)).toEqual(["cancelled"]);
      await cleanAfter(bed, control, runner);
    },
    60_000,
  );
});

describe("a runner killed with SIGKILL", () => {
  terraformTest(
    "while its change waits for approval: the apply is done once by the next one",
    async () => {
      await start();
      const { id, sample } = await waitingChange();
      await runner.proc.kill9();
      expect((await approve(id)).status).toBe(200);
      runner.proc = runner.start();
      await appliedOnce(id, sample);
    },
    60_000,
  );

  terraformTest(
    "in the middle of an approved apply, and the coordinator with it: the apply is taken up again",
    async () => {
      await start();
      const { id, sample } = await waitingChange({ wait: true });
      expect((await approve(id)).status).toBe(200);
      await until("the apply works", () => sample.traces().includes("begin"));
      await Promise.all([runner.proc.kill9(), control.proc.kill9()]);
      sample.release();
      await control.restart();
      runner.proc = runner.start();
      await appliedOnce(id, sample);
    },
    60_000,
  );
});

describe("many who decide", () => {
  terraformTest(
    "twelve approve at once: one does, the others are told so, and the change is applied once",
    async () => {
      await start();
      const { id, sample } = await waitingChange();
      const answers = await Promise.all(Array.from({ length: 12 }, () => approve(id)));
      expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array.from({ length: 11 }, () => 409)]);
      await appliedOnce(id, sample);
    },
    60_000,
  );

  terraformTest(
    "approve, reject and cancel at once: the first one holds for all",
    async () => {
      await start();
      const { id, sample } = await waitingChange();
      const answers = await Promise.all(["approve", "reject"].map((word) => control.post(`/jobs/${id}/${word}`, {})));
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
      const approved = answers[0]?.status === 200;
      if (approved) await appliedOnce(id, sample);
      else {
        const doc = await becomes(id, "approval-denied");
        expect([doc.jobs.length, sample.traces()]).toEqual([1, []]);
      }
      expect((await control.post(`/jobs/${id}/cancel`)).status).toBe(409);
      expect(terminalOf(await control.show(id))).toEqual([approved ? "finished" : "approval-denied"]);
      await cleanAfter(bed, control, runner);
    },
    60_000,
  );

  terraformTest(
    "an approval whose answer is lost on its way holds: the command may be repeated without a second apply",
    async () => {
      await start();
      const { id, sample } = await waitingChange();
      const proxy = startProxy(control.url);
      proxy.faults = [{ on: /POST .*\/approve$/, what: "drop-answer", times: 1 }];
      const run = () => bed.run(["job", "approve", id], { ...control.admin(), RUNNER_COORDINATOR_URL: proxy.url });
      const first = await run();
      const second = await run();
      proxy.stop();
      expect(first.code + second.code).toBeGreaterThan(0);
      expect(`${first.stderr}${second.stderr}`).toContain("approved by admin");
      await appliedOnce(id, sample);
    },
    60_000,
  );
});

describe("a plan that no longer fits its state", () => {
  /** Two changes of one workspace, planned on the same state. */
  async function twins() {
    const first = await waitingChange({ name: "a", workspace: "shared", cidr: "10.1.0.0/16" });
    const second = await waitingChange({ name: "b", workspace: "shared", cidr: "10.2.0.0/16" });
    return { first, second };
  }

  async function refusedAsStale(id: string, sample: Sample): Promise<void> {
    const doc = await becomes(id, "failed");
    expect(doc.reason).toMatch(/stale|state/);
    expect(sample.traces()).toEqual([]);
    expect(terminalOf(doc)).toEqual(["failed"]);
    expect((await control.workspaces())[0]?.lock).toBeNull();
    await cleanAfter(bed, control, runner);
  }

  terraformTest(
    "is refused at its approval, after a crash of the coordinator too, and nothing of it runs",
    async () => {
      await start();
      const { first, second } = await twins();
      expect((await approve(first.id)).status).toBe(200);
      await appliedOnce(first.id, first.sample);
      await control.restart();
      const answer = await approve(second.id);
      expect(answer.status).toBe(409);
      await refusedAsStale(second.id, second.sample);
    },
    60_000,
  );

  terraformTest(
    "is refused before it starts when the state moved after its approval",
    async () => {
      await start();
      const { first, second } = await twins();
      await runner.proc.kill9();
      expect((await approve(first.id)).status).toBe(200);
      expect((await approve(second.id)).status).toBe(200);
      await control.restart();
      runner.proc = runner.start();
      const docs = await Promise.all([first, second].map(({ id }) => control.ended(id)));
      expect(docs.map(({ status }) => status).sort()).toEqual(["failed", "finished"]);
      const [won, lost] = docs[0]?.status === "finished" ? [first, second] : [second, first];
      expect(won.sample.traces()).toEqual(APPLIED);
      await refusedAsStale(lost.id, lost.sample);
    },
    60_000,
  );
});
