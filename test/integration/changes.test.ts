import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { JobShow } from "../../internal/protocol/operator.ts";
import { type ChangeBed, CREATES, startChangeBed } from "../lib/change-bed.ts";

let bed: ChangeBed;
beforeAll(async () => {
  bed = await startChangeBed({ approvalMs: 3_600_000 });
});
afterAll(() => bed.stop());

const approve = (id: string, reason = "") => bed.operator.send("POST", `/jobs/${id}/approve`, { reason });
const reject = (id: string, reason = "") => bed.operator.send("POST", `/jobs/${id}/reject`, { reason });
const REQUIRED = { approval: "required" };
/** A claim round of the runner: whatever can be started now is started, or ended. */
async function claimRound(): Promise<void> {
  await bed.peer.finish(await bed.operator.submit({ type: "noop" }), {});
}
const refusals = (show: JobShow) => show.events.filter((event) => event.what.startsWith("refused:"));

describe("a plan that no longer fits the state", () => {
  test("is refused when it is approved: serial then and now, what to do, and nothing executed", async () => {
    await bed.apply("moved", null, { serial: 1 });
    const id = await bed.plan("moved", REQUIRED, { serial: 1, lineage: "one" });
    await bed.apply("moved", { serial: 1, lineage: "one" }, { serial: 2 });
    const refused = await approve(id);
    expect(refused.status).toBe(409);
    expect(refused.body.error).toBe(
      "stale_plan: the plan was made on serial 1 of the state, which is at serial 2 now; " +
        "nothing was executed; make a new plan: submit the job file again, or retry the change",
    );
    const shown = await bed.operator.show(id);
    expect(shown).toMatchObject({ status: "failed", reason: refused.body.error, approval: null });
    expect(shown.jobs).toHaveLength(1);
    expect(refusals(shown).map(({ what, by }) => [what, by])).toEqual([["refused:approve", "admin"]]);
    expect((await bed.workspace("moved")).lock).toBeNull();
    expect((await approve(id)).body.error).toContain("it is failed (stale_plan:");
  });

  test("is refused when its apply job would start, however long ago it was approved", async () => {
    await bed.apply("late", null, { serial: 1 });
    const id = await bed.plan("late", REQUIRED, { serial: 1, lineage: "one" });
    const other = await bed.plan("late", REQUIRED, { serial: 1, lineage: "one" });
    expect((await approve(other)).status).toBe(200);
    const applyJob = (await bed.jobsOf(other))[1] ?? "";
    const claim = await bed.peer.claim(applyJob);
    expect((await approve(id)).status).toBe(200);
    await bed.save(claim, "late", { serial: 2 });
    await bed.peer.finish(applyJob, {});
    await claimRound();
    const shown = await bed.operator.show(id);
    expect(shown.status).toBe("failed");
    expect(shown.reason).toStartWith(
      "stale_plan: the plan was made on serial 1 of the state, which is at serial 2 now",
    );
    expect(shown.jobs[1]).toMatchObject({ status: "failed", reason: shown.reason });
    expect(shown.executions.filter((execution) => execution.job_id === shown.jobs[1]?.id)).toEqual([]);
    expect((await bed.workspace("late")).lock).toBeNull();
  });

  test("that was made on the state of another workspace is refused as soon as it is made", async () => {
    await bed.apply("mine", null, { serial: 4 });
    const id = await bed.plan("mine", {}, { serial: 4, lineage: "of-another" });
    expect(await bed.operator.show(id)).toMatchObject({
      status: "failed",
      reason:
        "stale_plan: the plan was made on another state (lineage of-another, here it is one); " +
        "nothing was executed; make a new plan: submit the job file again, or retry the change",
    });
    expect(await bed.jobsOf(id)).toHaveLength(1);
  });

  test("is refused when the state was replaced under the same serial", async () => {
    await bed.apply("replaced", null, { serial: 1 });
    const id = await bed.plan("replaced", REQUIRED, { serial: 1, lineage: "one" });
    const busy = await bed.submit("replaced", { operation: "plan" });
    await bed.save(await bed.peer.claim(busy), "replaced", { serial: 1, outputs: { other: { value: 1 } } });
    await bed.peer.finish(busy, {});
    expect((await approve(id)).body.error).toContain("stale_plan: the state was replaced under the same serial 1");
  });

  test("that fits is applied: also the first one, made when there was no state", async () => {
    const id = await bed.plan("fresh", REQUIRED, null);
    expect((await approve(id, "first")).status).toBe(200);
    await bed.peer.finish((await bed.jobsOf(id))[1] ?? "", {});
    expect((await bed.operator.show(id)).status).toBe("finished");
  });
});

describe("a change whose job file asks for several attempts", () => {
  test("plans again after a failure, and never applies twice by itself", async () => {
    const id = await bed.submit("attempts", { retry: { attempts: 3 } });
    const planJob = (await bed.jobsOf(id))[0] ?? "";
    const claimed = await bed.peer.finish(planJob, { status: "failed", reason: "registry away" });
    expect(await bed.operator.show(id)).toMatchObject({ status: "planning" });
    const again = await bed.peer.claimAgain(planJob);
    expect(again.execution_id).not.toBe(claimed.execution_id);
    await bed.peer.finish(planJob, bed.planResult(CREATES, null));
    await bed.peer.finish((await bed.jobsOf(id))[1] ?? "", { status: "failed", reason: "half done" });
    const shown = await bed.operator.show(id);
    expect(shown).toMatchObject({ status: "failed", reason: "half done" });
    expect(shown.executions.map(({ status }) => status)).toEqual(["failed", "finished", "failed"]);
  });
});

describe("a decision about a change", () => {
  test("of two people at once is taken once; the others are told who was first", async () => {
    const id = await bed.plan("race", REQUIRED, null);
    const answers = await Promise.all([approve(id), reject(id), approve(id), reject(id), approve(id)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409, 409]);
    const shown = await bed.operator.show(id);
    const state = shown.approval?.state;
    expect(shown.jobs).toHaveLength(state === "approved" ? 2 : 1);
    for (const { status, body } of answers) {
      if (status === 409) expect(body.error).toMatch(new RegExp(`^the change does not wait .*, ${state} by admin at `));
    }
    expect(refusals(shown)).toHaveLength(4);
  });

  test("sent again under its key, because the answer was lost, is the same decision", async () => {
    const id = await bed.plan("again", REQUIRED, null);
    const send = (verb: string, key: string) =>
      bed.operator.send("POST", `/jobs/${id}/${verb}`, {}, { "idempotency-key": key });
    expect([await send("approve", "k1"), await send("approve", "k1")].map(({ status }) => status)).toEqual([200, 200]);
    expect([await send("approve", "k2"), await send("reject", "k1")].map(({ status }) => status)).toEqual([409, 409]);
    expect(await bed.jobsOf(id)).toHaveLength(2);
  });

  test("stands in the timeline with who, when and why", async () => {
    const id = await bed.plan("why", REQUIRED, null);
    await reject(id, "would replace the database");
    const shown = await bed.operator.show(id);
    expect(shown).toMatchObject({
      status: "approval-denied",
      reason: "would replace the database",
      approval: { state: "denied", by: "admin", why: "would replace the database", expires_at: null },
    });
    const said = { what: "approval-denied", by: "admin", why: "would replace the database" };
    expect(shown.events.at(-1)).toMatchObject({ ...said, at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) });
  });

  test("comes too late after a rejection, a cancel, and a plan that failed", async () => {
    const rejected = await bed.plan("no", REQUIRED, null);
    await reject(rejected);
    expect((await approve(rejected)).body.error).toContain("it is approval-denied, denied by admin");
    const cancelled = await bed.plan("cancel", REQUIRED, null);
    await bed.operator.send("POST", `/jobs/${cancelled}/cancel`, { reason: "not today" });
    expect((await approve(cancelled)).body.error).toContain("it is cancelled (not today)");
    const failed = await bed.submit("failed", REQUIRED);
    await bed.peer.finish((await bed.jobsOf(failed))[0] ?? "", { status: "failed", reason: "no such provider" });
    for (const answer of [await approve(failed), await reject(failed)]) {
      expect(answer.status).toBe(409);
      expect(answer.body.error).toBe("the change does not wait for approval; it is failed (no such provider)");
    }
    for (const id of [rejected, cancelled, failed]) expect(await bed.jobsOf(id)).toHaveLength(1);
  });

  test("is waited for as long as the job file says, else as long as the coordinator does", async () => {
    const short = await bed.plan("short", { ...REQUIRED, approval_expiry: "5m" }, null);
    const usual = await bed.plan("usual", REQUIRED, null);
    const until = async (id: string) => Date.parse((await bed.operator.show(id)).approval?.expires_at ?? "");
    expect((await until(usual)) - (await until(short))).toBeGreaterThan(54 * 60_000);
    bed.pass(6 * 60_000);
    expect((await approve(short)).body.error).toContain("it is approval-expired (nobody approved it in time)");
    expect((await approve(usual)).status).toBe(200);
  });

  test("is no matter of a change that is approved by itself: an expiry is refused in its job file", async () => {
    const job = { type: "terraform-deploy", approval_expiry: "5m", spec: { source: { path: "." }, workspace: "w" } };
    const answer = await bed.operator.send("POST", "/jobs", { job });
    expect(answer.status).toBe(400);
    expect(answer.body.error).toContain("approval_expiry: only with approval: required");
  });
});
