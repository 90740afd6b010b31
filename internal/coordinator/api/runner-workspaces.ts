import { Hono } from "hono";
import { workspaceRequest } from "../../protocol/nuon/terraform.ts";
import type { WorkspaceRow } from "../store/statements.ts";
import type { Store } from "../store/store.ts";
import {
  createOwnedWorkspace,
  deleteOwnedWorkspace,
  deleteStateJson,
  ownerOf,
  workspacesOf,
} from "../store/transitions/owned-workspaces.ts";
import { lockOf } from "../store/transitions/workspaces.ts";
import { runnerOf } from "./auth.ts";
import { readJson } from "./body.ts";
import type { RunnerApiDeps } from "./runner-deps.ts";
import { badRequest, conflict, notFound } from "./runner-errors.ts";
import { pageAnswer, pageOf } from "./runner-page.ts";
import { reachWorkspace } from "./runner-reach.ts";

/** Baseline: workspaces as rows (nuon-runner-api.md 2.17). A runner sees those it made and those of its jobs. */
export function workspaceRoutes(deps: RunnerApiDeps): Hono {
  const app = new Hono();
  const { store } = deps;

  app.get("/v1/terraform-workspaces", (c) => {
    const runner = runnerOf(store, c);
    if (!runner.ok) return runner.error;
    const page = pageOf(c);
    if (!page.ok) return page.error;
    const found = workspacesOf(store, runner.value.row.id, page.value.limit + 1, page.value.offset);
    const documents = found.map((row) => workspaceDocument(store, row));
    return pageAnswer(c, documents, page.value);
  });

  app.post("/v1/terraform-workspaces", async (c) => {
    const runner = runnerOf(store, c);
    if (!runner.ok) return runner.error;
    const body = await readJson(c, workspaceRequest);
    if (!body.ok) return body.error;
    const id = runner.value.row.id;
    const made = await store.db.group(() => createOwnedWorkspace(store, id, body.value), "full");
    if (made.ok) return c.json(workspaceDocument(store, made.value), 201);
    if (made.error === "duplicate") return badRequest(c, "duplicated key not allowed", "duplicate key");
    return conflict(c, "this runner has made too many workspaces", "delete some first");
  });

  app.get("/v1/terraform-workspaces/:workspace_id", (c) => {
    const runner = runnerOf(store, c);
    if (!runner.ok) return runner.error;
    const workspace = reachWorkspace(store, runner.value, c.req.param("workspace_id"));
    if (!workspace) return notFound(c, "workspace");
    // `lock` is ours: with it a runner frees the lock of its own dead terraform by id, and no other.
    return c.json({ ...workspaceDocument(store, workspace), lock: lockOf(store, workspace.id) });
  });

  app.delete("/v1/terraform-workspaces/:workspace_id", async (c) => {
    const runner = runnerOf(store, c);
    if (!runner.ok) return runner.error;
    const workspace = reachWorkspace(store, runner.value, c.req.param("workspace_id"));
    if (!workspace) return notFound(c, "workspace");
    const runnerId = runner.value.row.id;
    const deleted = await store.db.group(() => deleteOwnedWorkspace(store, runnerId, workspace.id), "full");
    if (deleted.ok) return c.json({ lock_history: null });
    return conflict(c, `unable to delete workspace: ${deleted.error}`);
  });

  app.delete("/v1/terraform-workspaces/:workspace_id/states", async (c) => {
    const runner = runnerOf(store, c);
    if (!runner.ok) return runner.error;
    const workspace = reachWorkspace(store, runner.value, c.req.param("workspace_id"));
    if (!workspace) return notFound(c, "workspace");
    await store.db.group(() => deleteStateJson(store, workspace.id));
    return c.json({ message: "terraform state json deleted" });
  });

  return app;
}

/** A workspace that no runner made is owned by its name. */
function workspaceDocument(store: Store, row: WorkspaceRow) {
  const at = new Date(row.created_at).toISOString();
  const owner = ownerOf(store, row.id);
  return {
    id: row.id,
    created_by_id: owner?.runner_id ?? "coordinator",
    created_at: at,
    updated_at: at,
    owner_id: owner?.owner_id ?? row.name,
    owner_type: owner?.owner_type ?? "workspaces",
    lock_history: null,
  };
}
