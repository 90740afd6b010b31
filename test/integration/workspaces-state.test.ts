import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { StateDiff, StateDoc } from "../../internal/protocol/operator.ts";
import { type ChangeBed, CREATES, EMPTY, startChangeBed } from "../lib/change-bed.ts";

let bed: ChangeBed;
beforeAll(async () => {
  bed = await startChangeBed({ keepStates: 4 });
});
afterAll(() => bed.stop());

const states = (name: string) => bed.operator.get<StateDoc[]>(`/workspaces/${name}/states`);
const restore = (name: string, body: object, headers: Record<string, string> = {}) =>
  bed.operator.send("POST", `/workspaces/${name}/restore`, body, headers);
const on = (serial: number) => ({ serial, lineage: "one" });

/** Serials 1 and 2 of a workspace, each by a change of its own. */
async function twoVersions(name: string): Promise<void> {
  await bed.apply(name, null, { serial: 1, outputs: { url: { value: "a" }, key: { value: "k-1", sensitive: true } } });
  const second = { serial: 2, outputs: { url: { value: "b" }, key: { value: "k-2", sensitive: true } } };
  await bed.apply(name, on(1), second);
}

describe("versions of a state", () => {
  test("are listed with who made them, and shown as differences without a sensitive value", async () => {
    await twoVersions("diffed");
    const listed = await states("diffed");
    expect(listed.map(({ serial, current, by }) => [serial, current, by])).toEqual([
      [2, true, `runner:${bed.peer.id}`],
      [1, false, `runner:${bed.peer.id}`],
    ]);
    const diff = await bed.operator.get<StateDiff>("/workspaces/diffed/states/2/diff");
    expect(diff).toMatchObject({ from: { serial: 1 }, to: { serial: 2 }, summary: { outputs: 2, changed: 0 } });
    expect(diff.text).toBe(
      'diffed: serial 1 -> 2\n\nOutputs:\n  ~ key = (sensitive) -> (sensitive)\n  ~ url = "a" -> "b"\n\n' +
        "0 added, 0 removed, 0 changed; outputs: 2 changed.\n",
    );
    expect(await bed.operator.get("/workspaces/diffed/states/2/diff?from=1")).toEqual(diff);
    const back = await bed.operator.get<StateDiff>("/workspaces/diffed/states/1/diff?from=2");
    expect(back.outputs[1]).toEqual({ name: "url", action: "changed", before: "b", after: "a", sensitive: false });
    expect((await bed.operator.send("GET", "/workspaces/diffed/states/1/diff")).status).toBe(404);
    expect((await bed.operator.send("GET", "/workspaces/diffed/states/2/diff?from=9")).status).toBe(404);
    expect((await bed.operator.send("GET", "/workspaces/diffed/states/2/diff?from=x")).status).toBe(400);
  });

  test("beyond what is kept go, oldest first; the current one stays", async () => {
    await bed.apply("kept", null, { serial: 1 });
    const job = await bed.submit("kept", { operation: "plan" });
    const claim = await bed.peer.claim(job);
    for (let serial = 2; serial <= 7; serial++) await bed.save(claim, "kept", { serial });
    await bed.peer.finish(job, {});
    expect((await states("kept")).map(({ serial, current }) => [serial, current])).toEqual([
      [7, true],
      [6, false],
      [5, false],
      [4, false],
    ]);
  });
});

describe("a restored version", () => {
  test("is a new one under the next serial, with who and why; the same key restores once", async () => {
    await twoVersions("back");
    const key = { "idempotency-key": "restore-1" };
    const made = await restore("back", { serial: 1, why: "serial 2 lost the url" }, key);
    expect(made.status).toBe(200);
    expect(made.body).toMatchObject({
      serial: 3,
      lineage: "one",
      current: true,
      by: "admin",
      why: "serial 2 lost the url",
      restored_from: 1,
    });
    expect((await restore("back", { serial: 1, why: "serial 2 lost the url" }, key)).body.id).toBe(made.body.id);
    expect((await states("back")).map(({ serial }) => serial)).toEqual([3, 2, 1]);
    const texts = await Promise.all(
      [1, 3].map(async (serial) => (await bed.operator.raw(`/workspaces/back/states/${serial}`)).text()),
    );
    expect(texts[1]).toBe(texts[0]?.replace('"serial":1', '"serial":3') ?? "");
    const events = await bed.operator.get<{ what: string; by: string; why: string }[]>("/events");
    expect(events.filter((event) => event.what === "state-restored").map(({ by, why }) => [by, why])).toEqual([
      ["admin", "workspace back, serial 1 as 3: serial 2 lost the url"],
    ]);
  });

  test("is refused while the workspace is locked, naming who holds it; of the current one; of none; without a why", async () => {
    await twoVersions("held");
    const job = await bed.submit("held", { operation: "plan" });
    const claim = await bed.peer.claim(job);
    const { id } = await bed.workspace("held");
    await bed.asTerraform(claim, `/v1/terraform-workspaces/${id}/lock`, JSON.stringify({ ID: "l1", Who: "me" }));
    const refused = await restore("held", { serial: 1, why: "x" });
    expect(refused.status).toBe(409);
    expect(refused.body.error).toStartWith(`the workspace is locked by job ${job} since `);
    await bed.asTerraform(claim, `/v1/terraform-workspaces/${id}/unlock`, JSON.stringify({ ID: "l1" }));
    expect((await restore("held", { serial: 2, why: "x" })).body.error).toBe("serial 2 is the current state");
    expect((await restore("held", { serial: 9, why: "x" })).status).toBe(404);
    expect((await restore("held", { serial: 1 })).status).toBe(400);
    expect((await restore("held", { serial: 1, why: "" })).status).toBe(400);
    expect((await restore("nothing-here", { serial: 1, why: "x" })).status).toBe(404);
    expect((await states("held")).map(({ serial }) => serial)).toEqual([2, 1]);
  });

  test("makes plans from before it stale", async () => {
    await twoVersions("outdated");
    const id = await bed.plan("outdated", { approval: "required" }, on(2));
    await restore("outdated", { serial: 1, why: "x" });
    const refused = await bed.operator.send("POST", `/jobs/${id}/approve`);
    expect(refused.status).toBe(409);
    expect(refused.body.error).toContain("serial 2 of the state, which is at serial 3 now");
  });
});

describe("a check for drift", () => {
  const check = (name: string) => bed.operator.send("POST", `/workspaces/${name}/drift`);
  const drift = async (name: string) => (await bed.workspace(name)).drift;

  test("plans what was applied last and applies nothing; the result stands in the workspace", async () => {
    const change = await bed.apply("drifting", null, { serial: 1 }, { name: "the network" });
    const { job } = (await check("drifting")).body;
    expect((await check("drifting")).body.job).toBe(job);
    expect(await drift("drifting")).toMatchObject({ job, change, status: "checking", summary: "", checked_at: null });
    const outside = {
      address: "terraform_data.a",
      type: "terraform_data",
      name: "a",
      change: { actions: ["update"], before: { input: "x" }, after: { input: "tampered" } },
    };
    const plan = { ...CREATES, resource_drift: [outside] };
    const claim = await bed.peer.finish(job, bed.planResult(plan, on(1)));
    expect(claim.job).toMatchObject({ operation: "create-apply-plan" });
    expect(JSON.parse(claim.plan ?? "{}").src_tag).toBe(bed.digest.replace("sha256:", ""));
    const shown = await bed.operator.show(job);
    expect(shown).toMatchObject({ kind: "job", status: "finished", name: "drift check of drifting" });
    expect(shown.diff).toContain('# terraform_data.a has changed\n  ~ resource "terraform_data" "a" {');
    expect(shown.diff).toContain("What this plan would do:");
    expect(await drift("drifting")).toMatchObject({
      status: "drifted",
      summary: "1 resource was changed outside of terraform; Plan: 1 to add, 0 to change, 0 to destroy",
      requested_by: "admin",
    });
    expect((await states("drifting")).map(({ serial }) => serial)).toEqual([1]);
  });

  test("finds none when the plan is empty, and does not take a provider's empty value for a change", async () => {
    await bed.apply("calm", null, { serial: 1 });
    const noise = { actions: ["update"], before: { tags: null }, after: { tags: {} } };
    const resource_drift = [{ address: "x.y", type: "x", name: "y", change: noise }];
    await bed.peer.finish((await check("calm")).body.job, bed.planResult({ ...EMPTY, resource_drift }, on(1)));
    expect(await drift("calm")).toMatchObject({ status: "none", summary: "no drift" });
  });

  test("that cannot be made says so, and can be asked for again", async () => {
    await bed.apply("broken", null, { serial: 1 });
    const first = (await check("broken")).body.job;
    await bed.peer.finish(first, { status: "failed", reason: "no credentials" });
    expect(await drift("broken")).toMatchObject({ status: "failed", summary: "failed: no credentials" });
    const second = (await check("broken")).body.job;
    expect(second).not.toBe(first);
    await bed.operator.send("POST", `/jobs/${second}/cancel`, { reason: "enough" });
    await bed.peer.finish(await bed.operator.submit({ type: "noop" }), {});
    expect((await drift("broken"))?.status).toBe("failed");
  });

  test("is refused with the reason where there is nothing to compare with", async () => {
    expect((await check("never-heard-of")).status).toBe(404);
    const id = await bed.plan("planned-only", { approval: "required" }, null);
    const early = await check("planned-only");
    expect(early.status).toBe(409);
    expect(early.body.error).toBe("no change of workspace planned-only has finished; apply a job file first");
    await bed.operator.send("POST", `/jobs/${id}/cancel`, {});
    await bed.apply("destroyed", null, { serial: 1 });
    await bed.apply("destroyed", on(1), { serial: 2 }, { operation: "destroy" });
    expect((await check("destroyed")).body.error).toContain("has no state to compare with; its last change was chg");
  });
});
