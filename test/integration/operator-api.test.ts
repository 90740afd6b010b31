import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import type { Coordinator } from "../../internal/coordinator/coordinator.ts";
import { type CoordinatorBed, startCoordinatorBed } from "../lib/coordinator-bed.ts";
import type { Operator } from "../lib/operator.ts";
import { createRunnerPeer, type RunnerPeer } from "../lib/runner-peer.ts";

let bed: CoordinatorBed;
let coordinator: Coordinator;
let operator: Operator;
let peer: RunnerPeer;

beforeAll(async () => {
  bed = await startCoordinatorBed();
  ({ coordinator, operator } = bed);
  peer = await createRunnerPeer(coordinator.url, operator);
});
afterAll(() => bed.end());

describe("the operator API", () => {
  test("answers 401 without the admin key, and gives its OpenAPI document all the same", async () => {
    for (const path of ["/jobs", "/runners", "/workspaces", "/events", "/nothing"]) {
      const answer = await fetch(`${coordinator.url}/api/v1${path}`);
      expect(answer.status).toBe(401);
      expect(await answer.json()).toMatchObject({ kind: "refused" });
    }
    const wrong = await fetch(`${coordinator.url}/api/v1/jobs`, { headers: { authorization: "Bearer wrong" } });
    expect(wrong.status).toBe(401);
    const document = await fetch(`${coordinator.url}/api/v1/openapi.json`);
    expect(await document.json()).toMatchObject({ openapi: "3.1.0" });
  });

  test("refuses unknown keys with the near miss, in bodies, job files and queries", async () => {
    const body = await operator.send("POST", "/jobs", { jb: {} });
    expect(body.status).toBe(400);
    expect(body.body.error).toContain('did you mean "job"?');
    const file = await operator.send("POST", "/jobs", { job: { type: "nop" } });
    expect(file.body.error).toStartWith("job: type:");
    expect(file.body.error).toContain('did you mean "noop"?');
    const query = await operator.send("GET", "/jobs?stats=queued");
    expect(query.status).toBe(400);
    expect(query.body.error).toContain('did you mean "status"?');
    const word = await operator.send("GET", "/jobs?status=quued");
    expect(word.body.error).toContain('did you mean "queued"?');
    expect((await operator.send("GET", "/jobs?limit=201")).status).toBe(400);
    expect((await operator.send("GET", "/job")).body.remedy).toContain("/api/v1/jobs");
  });

  test("refuses what is not JSON, and a body without end", async () => {
    const headers = { authorization: `Bearer ${coordinator.adminKey}`, "content-type": "application/json" };
    const broken = await fetch(`${coordinator.url}/api/v1/jobs`, { method: "POST", headers, body: "{" });
    expect(broken.status).toBe(400);
    const large = await fetch(`${coordinator.url}/api/v1/jobs`, {
      method: "POST",
      headers,
      body: JSON.stringify({ job: { x: "x".repeat(17 * 1024 * 1024) } }),
    });
    expect(large.status).toBe(413);
  });

  test("takes a repeated submission with one idempotency key once", async () => {
    const submit = () => operator.send("POST", "/jobs", { job: { type: "noop" } }, { "idempotency-key": "abc" });
    const first = await submit();
    expect((await submit()).body.job).toBe(first.body.job);
    expect((await operator.send("POST", `/jobs/${first.body.job}/cancel`)).status).toBe(200);
  });
});

describe("jobs", () => {
  test("are listed newest first, by status, page by page", async () => {
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) {
      ids.unshift(await operator.submit({ type: "noop", name: `listed-${i}`, requires: { arch: "arm64" } }));
      // What was made within one millisecond has no order.
      await Bun.sleep(2);
    }
    const first = await operator.get<{ id: string }[]>("/jobs?limit=2&status=queued");
    expect(first.map((job) => job.id)).toEqual(ids.slice(0, 2));
    const next = await operator.get<{ id: string }[]>(`/jobs?limit=2&status=queued&before=${first[1]?.id}`);
    expect(next.map((job) => job.id)).toEqual(ids.slice(2, 4));
    for (const id of ids) await operator.send("POST", `/jobs/${id}/cancel`, { reason: "tidy" });
    expect(await operator.get<unknown[]>("/jobs?status=queued")).toEqual([]);
  });

  test("keep a reason under one name; another name is refused, not ignored", async () => {
    const id = await operator.submit({ type: "noop", requires: { labels: { site: "moon" } } });
    const refused = await operator.send("POST", `/jobs/${id}/cancel`, { why: "not needed" });
    expect(refused.status).toBe(400);
    expect(JSON.stringify(refused.body)).toContain("why");
    await operator.send("POST", `/jobs/${id}/cancel`, { reason: "not needed" });
    const again = await operator.send("POST", `/jobs/${id}/retry`, { reason: "needed after all" });
    expect((await operator.show(id)).events.at(-1)).toMatchObject({
      what: "retried",
      why: `${again.body.job}: needed after all`,
    });
    await operator.send("POST", `/jobs/${again.body.job}/cancel`);
  });

  test("say why they wait, who cancelled them and why", async () => {
    const id = await operator.submit({ type: "noop", requires: { labels: { site: "moon" } } });
    expect((await operator.show(id)).reason).toBe("no_label");
    await operator.send("POST", `/jobs/${id}/cancel`, { reason: "not needed" });
    const shown = await operator.show(id);
    expect(shown).toMatchObject({ status: "cancelled", reason: "not needed" });
    expect(shown.events.at(-1)).toMatchObject({ what: "cancelled", by: "admin", why: "not needed" });
    expect((await operator.send("POST", `/jobs/${id}/cancel`)).status).toBe(200);
  });

  test("show outputs with sensitive ones redacted, and are tried again under a new id", async () => {
    const id = await operator.submit({ type: "actions-workflow", spec: { steps: [{ name: "a", run: "x" }] } });
    await peer.finish(id, {
      outputs: { token: "s3cret", plain: 1, steps: { a: { token: "s3cret", plain: 1 } } },
      sensitive: ["token"],
    });
    const shown = await operator.show(id);
    expect(shown.status).toBe("finished");
    expect(shown.outputs).toEqual({
      token: "[redacted]",
      plain: 1,
      steps: { a: { token: "[redacted]", plain: 1 } },
    });
    expect(JSON.stringify(shown)).not.toContain("s3cret");
    const again = await operator.send("POST", `/jobs/${id}/retry`);
    expect(again.body.job).not.toBe(id);
    await operator.send("POST", `/jobs/${again.body.job}/cancel`);
  });

  test("that do not exist are named in the answer", async () => {
    for (const [method, path] of [
      ["GET", ""],
      ["POST", "/cancel"],
      ["POST", "/retry"],
      ["POST", "/approve"],
      ["GET", "/logs"],
    ]) {
      const answer = await operator.send(method ?? "", `/jobs/job0${path}`);
      expect(answer.status).toBe(404);
    }
  });
});

const PLAN = {
  resource_changes: [
    {
      address: "terraform_data.a",
      type: "terraform_data",
      name: "a",
      change: { actions: ["create"], before: null, after: { input: "x" }, after_unknown: { id: true } },
    },
  ],
};
const planned = (plan: object) => ({
  result: {
    success: true,
    contents_compressed: Buffer.from("tfplan?>~").toString("base64url"),
    contents_display_compressed: gzipSync(JSON.stringify(plan)).toString("base64url"),
  },
  steps: ["init", "plan"],
});

describe("a change", () => {
  const submit = async (approval: "auto" | "required", name: string) =>
    operator.submit(
      {
        type: "terraform-deploy",
        approval,
        spec: { source: { path: "." }, workspace: name },
      },
      { sources: { "spec.source": { digest: await operator.upload({ "main.tf": "# empty" }), path: "" } } },
    );

  test("plans, applies by itself, and ends with its apply job; its steps show once each", async () => {
    const id = await submit("auto", "auto");
    expect(id).toStartWith("chg");
    const [planJob] = (await operator.show(id)).jobs;
    await peer.finish(planJob?.id ?? "", planned(PLAN));
    const applying = await operator.show(id);
    expect(applying.status).toBe("applying");
    expect(applying.diff).toContain("# terraform_data.a will be created");
    expect(applying.approval).toMatchObject({ state: "automatic" });
    const applyJob = applying.jobs[1];
    const claim = await peer.finish(applyJob?.id ?? "", { outputs: { out: 1 }, steps: ["init", "apply"] });
    expect(JSON.parse(claim.plan ?? "{}").apply_plan_contents).toBe(Buffer.from("tfplan?>~").toString("base64"));
    const done = await operator.show(id);
    expect(done).toMatchObject({ status: "finished", outputs: { out: 1 } });
    expect(done.steps.map((step) => step.name)).toEqual(["init", "plan", "apply"]);
    expect(done.events.filter((event) => event.job_id === null).map((event) => event.what)).toEqual([
      "planning",
      "applying",
      "finished",
    ]);
    expect(done.events.every((event) => event.change_id === id)).toBe(true);
  });

  test("without anything to change ends after its plan", async () => {
    const id = await submit("auto", "same");
    await peer.finish((await operator.show(id)).jobs[0]?.id ?? "", planned({ resource_changes: [] }));
    expect(await operator.show(id)).toMatchObject({ status: "finished", reason: "no changes" });
    expect((await operator.show(id)).jobs.length).toBe(1);
  });

  test("waits for a person where approval is required, and can be rejected or cancelled", async () => {
    for (const [verb, status] of [
      ["reject", "approval-denied"],
      ["cancel", "cancelled"],
    ] as const) {
      const id = await submit("required", `asked-${verb}`);
      expect((await operator.send("POST", `/jobs/${id}/approve`)).status).toBe(409);
      await peer.finish((await operator.show(id)).jobs[0]?.id ?? "", planned(PLAN));
      expect((await operator.show(id)).status).toBe("approval-awaiting");
      expect((await operator.send("POST", `/jobs/${id}/${verb}`, { reason: "no" })).status).toBe(200);
      expect(await operator.show(id)).toMatchObject({ status, reason: "no" });
      expect((await operator.show(id)).jobs.length).toBe(1);
    }
  });

  test("applies once it is approved, and says who approved it", async () => {
    const id = await submit("required", "approved");
    await peer.finish((await operator.show(id)).jobs[0]?.id ?? "", planned(PLAN));
    expect((await operator.send("POST", `/jobs/${id}/approve`, { reason: "looks good" })).status).toBe(200);
    const shown = await operator.show(id);
    expect(shown).toMatchObject({
      status: "applying",
      approval: { state: "approved", by: "admin", why: "looks good" },
    });
    expect((await operator.send("POST", `/jobs/${id}/approve`)).status).toBe(409);
    await peer.finish(shown.jobs[1]?.id ?? "", { status: "failed", reason: "terraform apply ended with code 1" });
    expect(await operator.show(id)).toMatchObject({ status: "failed", reason: "terraform apply ended with code 1" });
    const again = await operator.send("POST", `/jobs/${id}/retry`);
    expect(again.body.job).toStartWith("chg");
    expect(again.body.job).not.toBe(id);
    await operator.send("POST", `/jobs/${again.body.job}/cancel`);
  });

  test("ends as its plan job does, and fails when that stored no plan", async () => {
    const failed = await submit("auto", "failed");
    await peer.finish((await operator.show(failed)).jobs[0]?.id ?? "", { status: "failed", reason: "no such module" });
    expect(await operator.show(failed)).toMatchObject({ status: "failed", reason: "no such module" });
    const bare = await submit("auto", "bare");
    await peer.finish((await operator.show(bare)).jobs[0]?.id ?? "", {});
    expect(await operator.show(bare)).toMatchObject({ status: "failed", reason: "the plan job stored no plan" });
  });
});
