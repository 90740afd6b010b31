import { createHash } from "node:crypto";
import { type Context, Hono } from "hono";
import { failpoint } from "../../kit/base/failpoint.ts";
import { fail, ok, type Result } from "../../protocol/errors.ts";
import type { LockDoc } from "../../protocol/operator.ts";
import type { Store } from "../store/store.ts";
import {
  deleteState,
  lockIdOf,
  lockWorkspace,
  readState,
  type StateWriter,
  saveState,
  saveStateJson,
  unlockWorkspace,
} from "../store/transitions/workspaces.ts";
import { formerRunnersOf, stateCallerOf } from "./auth.ts";
import { readBody } from "./body.ts";
import type { RunnerApiDeps } from "./runner-deps.ts";
import { badFormat, badRequest, conflict, forbidden, noRecord, unavailable } from "./runner-errors.ts";
import { openExecution, openInWorkspace, reachJob, reachWorkspace } from "./runner-reach.ts";

/** Largest state document, bytes. */
export const STATE_LIMIT = 64 * 1024 * 1024;
const LOCK_LIMIT = 1024 * 1024;

interface Target {
  readonly workspaceId: string;
  readonly runnerId: string;
  readonly writer: StateWriter;
}

/**
 * Terraform's http backend (nuon-runner-api.md 2.12, DESIGN invariant 5). State and unlock are fenced by lock id,
 * serial and lineage: whoever holds the lock may always save, whatever became of its lease.
 */
export function stateRoutes(deps: RunnerApiDeps): Hono {
  const app = new Hono();
  const { store } = deps;

  app.get("/v1/terraform-backend", (c) => {
    const target = targetOf(store, c, c.req.query("workspace_id") ?? "");
    if (!target.ok) return target.error;
    const state = readState(store, target.value.workspaceId);
    if (state === null) return c.body(null, 204);
    return c.body(new Uint8Array(state), 200, { "content-type": "text/plain; charset=utf-8" });
  });

  app.post("/v1/terraform-backend", async (c) => {
    const workspaceId = c.req.query("workspace_id") ?? "";
    if (workspaceId === "") return badRequest(c, "invalid request", "invalid request input: workspace_id was not set");
    const named = { workspaceId, lockId: c.req.query("ID") ?? "" };
    const target = holderOr(store, c, named, targetOf(store, c, workspaceId));
    if (!target.ok) return target.error;
    const body = await readBody(c, STATE_LIMIT);
    if (!body.ok) return body.error;
    const sent = c.req.header("content-md5");
    // A body damaged on its way is a passing condition: Terraform repeats after 5xx and never after 4xx.
    if (sent !== undefined && sent !== createHash("md5").update(body.value).digest("base64")) {
      return unavailable(c, "the body does not match its Content-MD5");
    }
    const lockId = c.req.query("ID") ?? null;
    const saved = await store.db.group(() => {
      const result = saveState(store, workspaceId, body.value, lockId, target.value.writer);
      failpoint("coordinator.state.before");
      return result;
    }, "full");
    failpoint("coordinator.state.after");
    if (saved.ok) return c.json("");
    switch (saved.error.kind) {
      case "held":
        return locked(c, saved.error.lock);
      case "invalid":
        return badRequest(c, `unable to store the state: ${saved.error.message}`);
      default:
        return conflict(c, `unable to store the state: ${saved.error.message}`);
    }
  });

  app.delete("/v1/terraform-backend", async (c) => {
    const target = targetOf(store, c, c.req.query("workspace_id") ?? "");
    if (!target.ok) return target.error;
    const { workspaceId, writer } = target.value;
    const deleted = await store.db.group(() => deleteState(store, workspaceId, writer), "full");
    if (deleted.ok) return c.json("");
    return deleted.error.kind === "held" ? locked(c, deleted.error.lock) : conflict(c, deleted.error.message);
  });

  app.post("/v1/terraform-workspaces/:workspace_id/lock", async (c) => {
    const target = targetOf(store, c, c.req.param("workspace_id"), "unable to lock workspace:");
    if (!target.ok) return target.error;
    const document = await readLock(c);
    if (!document.ok) return document.error;
    const { workspaceId, writer } = target.value;
    const result = await store.db.group(() => lockWorkspace(store, workspaceId, document.value, writer), "full");
    if (result.ok) return c.json("");
    switch (result.error.kind) {
      case "held":
        return locked(c, result.error.lock);
      case "stale":
        return forbidden(c, result.error.message, "the lease was lost");
      default:
        return badRequest(c, `unable to lock workspace: ${result.error.message}`);
    }
  });

  app.post("/v1/terraform-workspaces/:workspace_id/unlock", async (c) => {
    const id = c.req.param("workspace_id");
    const known = targetOf(store, c, id, "unable to unlock workspace:");
    // The lock id that lets ended credentials in stands in the body; who has none of those is refused by the head alone.
    if (!known.ok && formerRunnersOf(store, c).length === 0) return known.error;
    const document = await readLock(c);
    if (!document.ok) return known.ok ? document.error : known.error;
    const target = holderOr(store, c, { workspaceId: id, lockId: lockIdOf(document.value) ?? "" }, known);
    if (!target.ok) return target.error;
    const { workspaceId, runnerId } = target.value;
    const result = await store.db.group(() => unlockWorkspace(store, workspaceId, document.value, runnerId), "full");
    return result.ok ? c.json({}) : locked(c, result.error.lock);
  });

  app.post("/v1/terraform-workspaces/:workspace_id/state-json", async (c) => {
    const target = targetOf(store, c, c.req.param("workspace_id"), "unable to update state json:");
    if (!target.ok) return target.error;
    const body = await readBody(c, STATE_LIMIT);
    if (!body.ok) return body.error;
    const json = decodeStateJson(body.value);
    if (json === null)
      return badRequest(c, "unable to update state json: the body is not a string with base64 of JSON");
    const { workspaceId, writer } = target.value;
    await store.db.group(() => saveStateJson(store, workspaceId, writer.jobId, json));
    return c.json({ message: "terraform state json updated" });
  });

  return app;
}

/** Caller and workspace; an execution reaches the workspace of its job, a token those of its runner's jobs. */
function targetOf(
  store: Store,
  c: Context,
  workspaceId: string,
  doing = "unable to get workspace:",
): Result<Target, Response> {
  const caller = stateCallerOf(store, c);
  if (!caller.ok) return caller;
  const { runner, execution } = caller.value;
  const runnerId = runner.row.id;
  if (execution) {
    const job = store.sql.job.get(execution.job_id);
    if (job?.workspace_id !== workspaceId) return fail(noRecord(c, doing));
    return ok({ workspaceId, runnerId, writer: { runnerId, jobId: job.id, execution } });
  }
  const workspace = reachWorkspace(store, runner, workspaceId);
  if (!workspace) return fail(noRecord(c, doing));
  const job = reachJob(store, runner, c.req.query("job_id") ?? "");
  // A saved plan holds the address of the job that planned: the job that applies it comes under that ended job's id.
  const running = (job ? openExecution(store, runner, job.id) : null) ?? openInWorkspace(store, runner, workspaceId);
  return ok({
    workspaceId,
    runnerId,
    writer: { runnerId, jobId: running?.job_id ?? job?.id ?? null, execution: running },
  });
}

/**
 * Who names the lock that is held may save and unlock even with credentials that ended meanwhile (a token rotated, a
 * runner deleted under a running apply): refused once, terraform would lose what it has just made.
 */
function holderOr(
  store: Store,
  c: Context,
  named: { readonly workspaceId: string; readonly lockId: string },
  known: Result<Target, Response>,
): Result<Target, Response> {
  if (known.ok) return known;
  const lock = store.sql.lock.get(named.workspaceId);
  if (lock === null || lock.lock_id !== named.lockId || lock.runner_id === null) return known;
  if (!formerRunnersOf(store, c).includes(lock.runner_id)) return known;
  const writer = { runnerId: lock.runner_id, jobId: lock.job_id, execution: null };
  return ok({ workspaceId: named.workspaceId, runnerId: lock.runner_id, writer });
}

/** 423 with the holder's document: Terraform names the id of that lock to the person. */
const locked = (c: Context, lock: LockDoc) => c.json(lock, 423);

async function readLock(c: Context): Promise<Result<unknown, Response>> {
  const body = await readBody(c, LOCK_LIMIT);
  if (!body.ok) return body;
  const text = new TextDecoder().decode(body.value).trim();
  if (text === "") return ok({});
  try {
    return ok(JSON.parse(text));
  } catch {
    return fail(badFormat(c, "invalid JSON"));
  }
}

/** A JSON string with base64 of the document; the plain document is taken too. */
function decodeStateJson(body: Uint8Array): string | null {
  try {
    const outer: unknown = JSON.parse(new TextDecoder().decode(body));
    const text = typeof outer === "string" ? Buffer.from(outer, "base64").toString("utf8") : JSON.stringify(outer);
    JSON.parse(text);
    return text;
  } catch {
    return null;
  }
}
