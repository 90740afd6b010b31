import { describe, expect, test } from "bun:test";
import type { Clock } from "../../kit/base/clock.ts";
import { newId } from "../../protocol/ids.ts";
import type { Claim } from "../../protocol/native.ts";
import { DEFAULT_TIMES } from "../../protocol/times.ts";
import { createSourceStore } from "../sources/source-store.ts";
import { openDb } from "../store/db.ts";
import { createStore, type Store } from "../store/store.ts";
import { submitJob } from "../store/transitions/submit.ts";
import { readChange } from "./change-rows.ts";
import { APPROVAL_MS, changeEngine } from "./engine.ts";
import { submitWork } from "./submit.ts";

const NO_OPTIONS: Claim["options"] = { verify: false, cancel_grace_ms: null, sensitive_vars: [] };

function setUp() {
  let now = 1_700_000_000_000;
  const clock: Clock = { now: () => now, monotonic: () => now, sleep: () => Promise.resolve() };
  const db = openDb(":memory:");
  const store = createStore({ db, times: DEFAULT_TIMES, clock, secret: "secret" });
  const changes = changeEngine({ store });
  store.jobEnded.push(changes.jobEnded);
  return { store, changes, pass: (ms: number) => (now += ms) };
}

/** A change whose plan job has finished with this stored result (null: none). */
function planned(store: Store, result: object | null): string {
  const id = newId("change");
  const jobId = newId("job");
  const now = store.clock.now();
  store.db.run(
    store.db.kysely.insertInto("changes").values({
      id,
      name: "c",
      type: "terraform-deploy",
      operation: "apply",
      status: "planning",
      approval: "required",
      plan_job_id: jobId,
      spec: "{}",
      created_by: "admin",
      created_at: now,
      updated_at: now,
      reason: "",
      approval_by: "",
      approval_why: "",
    }),
  );
  submitJob(store, {
    id: jobId,
    changeId: id,
    name: "c",
    type: "terraform-deploy",
    group: "deploy",
    operation: "create-apply-plan",
    runnerId: null,
    ownerId: "dpl",
    ownerType: "install_deploys",
    metadata: { operation: "create-apply-plan" },
    requires: {},
    options: NO_OPTIONS,
    workspaceId: null,
    executionTimeoutMs: 1_000,
    maxExecutions: 1,
    plan: '{"app_config_id":"apc1","apply_plan_contents":"","terraform":{"vars":{"a":1}}}',
    documents: { action_run: null, action_config: null, app_config: { id: newId("appConfig") } },
    createdBy: "admin",
  });
  const executionId = newId("execution");
  const text = result === null ? null : JSON.stringify(result);
  store.db
    .prepare<unknown, [string, string, number, string | null]>(
      `INSERT INTO executions (id, job_id, runner_id, instance_id, dialect, epoch, status, claim_key, log_stream_id,
       lease_expires_at, deadline_at, created_at, updated_at, result)
       VALUES (?, ?, 'run', 'ins', 'native', 1, 'finished', 'k', 'log', 0, 0, 0, ?, ?)`,
    )
    .run(executionId, jobId, now, text);
  store.db
    .prepare<unknown, [string, string]>("UPDATE jobs SET status = 'finished', final_execution_id = ? WHERE id = ?")
    .run(executionId, jobId);
  for (const hook of store.jobEnded) hook(jobId);
  return id;
}

const PLAN = { success: true, contents_compressed: Buffer.from("plan").toString("base64url") };

describe("a change that waits for approval", () => {
  test("expires after a day, and can then be neither approved nor rejected", () => {
    const { store, changes, pass } = setUp();
    const id = planned(store, PLAN);
    pass(APPROVAL_MS - 1);
    changes.expire();
    expect(readChange(store, id)?.status).toBe("approval-awaiting");
    pass(1);
    changes.expire();
    expect(readChange(store, id)).toMatchObject({ status: "approval-expired", approval_state: "expired" });
    expect(changes.approve(id, "admin", "").ok).toBe(false);
    expect(changes.reject(id, "admin", "").ok).toBe(false);
    expect(readChange(store, id)?.apply_job_id).toBeNull();
  });

  test("cannot be approved a moment too late, even when nothing has looked at it yet", () => {
    const { store, changes, pass } = setUp();
    const id = planned(store, PLAN);
    pass(APPROVAL_MS);
    expect(changes.approve(id, "admin", "").ok).toBe(false);
    expect(readChange(store, id)?.status).toBe("approval-expired");
  });

  test("is applied once, however often it is approved, with the plan that was shown", () => {
    const { store, changes } = setUp();
    const id = planned(store, PLAN);
    expect(changes.approve(id, "ada", "fine").ok).toBe(true);
    expect(changes.approve(id, "bob", "").ok).toBe(false);
    const change = readChange(store, id);
    const applied = store.sql.plan.get(change?.apply_job_id ?? "");
    expect(JSON.parse(applied?.text ?? "{}")).toMatchObject({
      apply_plan_contents: Buffer.from("plan").toString("base64"),
      terraform: { vars: { a: 1 } },
    });
    const refused = store.events.list({ after: 0, limit: 100, changeId: id }).at(-1);
    expect(refused).toMatchObject({ what: "refused:approve", by: "bob" });
  });
});

describe("a plan that cannot be used", () => {
  test("fails its change with the reason, and the runner's report stands", () => {
    const { store } = setUp();
    expect(readChange(store, planned(store, null))).toMatchObject({
      status: "failed",
      reason: "the plan job stored no plan",
    });
    expect(readChange(store, planned(store, { ...PLAN, contents_display_compressed: "bm9uc2Vuc2U=" }))).toMatchObject({
      status: "approval-awaiting",
      diff: null,
    });
  });
});

describe("a submission", () => {
  test("that is refused leaves nothing behind", () => {
    const { store } = setUp();
    const sources = createSourceStore({ db: store.db, clock: store.clock, dataDir: "/nonexistent" });
    const job = { type: "terraform-deploy", spec: { source: { path: "." }, workspace: "w" } };
    const digest = `sha256:${"0".repeat(64)}`;
    const submission = { job, sources: { "spec.source": { digest, path: "" } } };
    const refused = submitWork({ store, sources, https: false }, submission, "admin");
    expect(refused.ok ? "" : refused.error.message).toContain("has not been uploaded");
    for (const table of ["workspaces", "jobs", "changes", "events"]) {
      expect(store.db.prepare<{ n: number }, []>(`SELECT count(*) AS n FROM ${table}`).get()?.n).toBe(0);
    }
  });

  test("for a runner that does not exist is refused", () => {
    const { store } = setUp();
    const sources = createSourceStore({ db: store.db, clock: store.clock, dataDir: "/nonexistent" });
    const refused = submitWork({ store, sources, https: false }, { job: { type: "noop" }, runner: "run0" }, "admin");
    expect(refused.ok ? "" : refused.error.message).toContain('there is no runner "run0"');
  });
});
