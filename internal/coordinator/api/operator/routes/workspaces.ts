import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { lockDoc, stateDiff, stateDoc, stateRestore, submitted, workspaceDoc } from "../../../../protocol/operator.ts";
import { checkDrift } from "../../../changes/drift.ts";
import type { LockRow, WorkspaceRow } from "../../../store/statements.ts";
import { forceUnlock, readStateJson } from "../../../store/transitions/workspaces.ts";
import { restoreState, versionOf } from "../../../store/transitions/workspaces-states.ts";
import { ADMIN, type OperatorDeps } from "../deps.ts";
import { explained, granted, notFound, problem, unwrap } from "../problem.ts";
import { answers, jsonBody, named, problemAnswer } from "../schemas.ts";
import { submitOnce } from "../submit-once.ts";
import {
  allWorkspaces,
  diffOfStates,
  holderIsAlive,
  serialBefore,
  stateOf,
  statesOf,
  workspaceByName,
  workspaceView,
} from "../workspace-views.ts";

const tags = ["workspaces"];
const nameParam = z.object({ name: z.string() });
const serialText = z.string().regex(/^\d{1,15}$/, "a whole number");
const serialParam = nameParam.extend({ serial: serialText });
const fromQuery = z.strictObject({
  from: serialText.optional().openapi({ description: "Serial to compare with; the version before when left out" }),
});
const version = named(stateDoc, "StateVersion");
const workspace = named(workspaceDoc, "Workspace");
const unlockBody = z
  .strictObject({
    /** Free only this lock; a lock that came meanwhile stays. */
    lock_id: z.string().optional(),
    /** Free it although its holder is alive. */
    force: z.boolean().optional(),
  })
  .openapi("Unlock");

const list = createRoute({
  method: "get",
  path: "/workspaces",
  tags,
  summary: "List workspaces with their locks",
  responses: answers(z.array(workspace), "All of them"),
});
const show = createRoute({
  method: "get",
  path: "/workspaces/{name}",
  tags,
  summary: "Show a workspace",
  request: { params: nameParam },
  responses: answers(workspace, "The workspace"),
});
const unlock = createRoute({
  method: "post",
  path: "/workspaces/{name}/unlock",
  tags,
  summary: "Free the lock of a workspace",
  description: "Refused with 409 while the execution that holds it is alive, unless `force` is true.",
  request: { params: nameParam, body: jsonBody(unlockBody, false) },
  responses: answers(z.strictObject({ released: lockDoc.nullable() }).openapi("Unlocked"), "What was freed"),
});
const states = createRoute({
  method: "get",
  path: "/workspaces/{name}/states",
  tags,
  summary: "List the versions of its state, newest first",
  request: { params: nameParam },
  responses: answers(z.array(version), "The versions"),
});
const state = createRoute({
  method: "get",
  path: "/workspaces/{name}/states/{serial}",
  tags,
  summary: "Download one version of the state",
  description: "The newest version with this serial, byte for byte. It may hold secrets.",
  request: { params: serialParam },
  responses: {
    200: { description: "The state, JSON", content: { "*/*": { schema: z.unknown() } } },
    default: problemAnswer,
  },
});

const display = createRoute({
  method: "get",
  path: "/workspaces/{name}/state-json",
  tags,
  summary: "Show the state as a runner rendered it last",
  description: "`terraform show -json`, as it came. It may hold secrets.",
  request: { params: nameParam },
  responses: {
    200: { description: "The rendered state, JSON", content: { "*/*": { schema: z.unknown() } } },
    default: problemAnswer,
  },
});

const diff = createRoute({
  method: "get",
  path: "/workspaces/{name}/states/{serial}/diff",
  tags,
  summary: "Show what one version of the state changed",
  description: "Resources with their attributes, and outputs; sensitive values are `[redacted]`.",
  request: { params: serialParam, query: fromQuery },
  responses: answers(named(stateDiff, "StateDiff"), "The differences"),
});
const restore = createRoute({
  method: "post",
  path: "/workspaces/{name}/restore",
  tags,
  summary: "Restore an old version of the state",
  description:
    "Its content becomes a new version under the next serial; nothing is deleted, and no infrastructure is touched. " +
    "Refused with 409 while the workspace is locked. A repeat with the same Idempotency-Key answers the same version.",
  request: { params: nameParam, body: jsonBody(named(stateRestore, "StateRestore"), true) },
  responses: answers(version, "The new version"),
});
const drift = createRoute({
  method: "post",
  path: "/workspaces/{name}/drift",
  tags,
  summary: "Check a workspace for drift",
  description:
    "Plans the source and variables of the last finished change and applies nothing; the result stands in the " +
    "workspace. While a check is under way its job is answered. 409 when there is nothing to compare with.",
  request: { params: nameParam },
  responses: answers(submitted, "The plan job of the check"),
});

export const WORKSPACE_ROUTES = [list, show, unlock, states, state, display, diff, restore, drift];

export function workspaceRoutes(app: OpenAPIHono, deps: OperatorDeps): void {
  const { store } = deps;
  const find = (name: string) => {
    const row = workspaceByName(store, name);
    if (row === null) throw notFound(`workspace ${name}`, "`runner workspaces list` shows the names.");
    return row;
  };
  app.openapi(list, (c) =>
    c.json(
      allWorkspaces(store).map((row) => workspaceView(store, row)),
      200,
    ),
  );
  app.openapi(show, (c) => c.json(workspaceView(store, find(c.req.valid("param").name)), 200));
  app.openapi(
    unlock,
    (c) => {
      const row = find(c.req.valid("param").name);
      const body = c.req.valid("json") ?? {};
      const released = store.db.transaction(() => {
        const held = store.sql.lock.get(row.id);
        if (held === null) return null;
        if (body.lock_id !== undefined && body.lock_id !== held.lock_id) throw otherLock(held);
        if (body.force !== true && holderIsAlive(store, held)) throw alive(held);
        return forceUnlock(store, row.id, ADMIN);
      }, "full");
      return c.json({ released }, 200);
    },
    explained({ json: unlockBody }),
  );
  app.openapi(states, (c) => c.json(statesOf(store, find(c.req.valid("param").name)), 200));
  const findVersion = (row: WorkspaceRow, serial: number) => {
    const found = versionOf(store, row.id, serial);
    if (found !== null) return found;
    throw notFound(`serial ${serial} of workspace ${row.name}`, `\`runner workspaces states ${row.name}\` shows them.`);
  };
  app.openapi(state, (c) => {
    const { name, serial } = c.req.valid("param");
    const { body } = findVersion(find(name), Number(serial));
    return new Response(body, { headers: { "content-type": "application/json" } });
  });
  app.openapi(
    diff,
    (c) => {
      const { name, serial } = c.req.valid("param");
      const { from } = c.req.valid("query");
      const row = find(name);
      const to = findVersion(row, Number(serial));
      const before = from === undefined ? serialBefore(store, row, to.serial) : Number(from);
      if (before === null)
        throw notFound(`version before serial ${serial} of workspace ${name}`, "Name one with from.");
      const versions = { from: findVersion(row, before), to };
      return c.json(unwrap(diffOfStates(row, versions, readStateJson(store, row.id))), 200);
    },
    explained({ query: fromQuery }),
  );
  app.openapi(
    restore,
    (c) => {
      const row = find(c.req.valid("param").name);
      const wish = { ...c.req.valid("json"), by: ADMIN };
      const key = c.req.header("idempotency-key");
      const once = key === undefined ? undefined : `restore:${row.id}:${key}`;
      const id = submitOnce(store, once, () => granted(restoreState(store, row, wish)));
      const made = stateOf(store, find(row.name), id);
      if (made === null) throw notFound(`version ${id} any more`);
      return c.json(made, 200);
    },
    explained({ json: stateRestore }),
  );
  app.openapi(drift, (c) => c.json({ job: granted(checkDrift(deps, find(c.req.valid("param").name), ADMIN)) }, 200));
  app.openapi(display, (c) => {
    const { name } = c.req.valid("param");
    const json = readStateJson(store, find(name).id);
    if (json === null) throw notFound(`a rendered state of workspace ${name}`);
    return new Response(json, { headers: { "content-type": "application/json" } });
  });
}

const otherLock = (held: LockRow) =>
  problem(
    409,
    "conflict",
    `the workspace is held by another lock, ${held.lock_id}`,
    "Look at it again before you free it.",
  );

function alive(held: LockRow) {
  const holder = [
    held.job_id === null ? null : `job ${held.job_id}`,
    held.execution_id === null ? null : `execution ${held.execution_id}`,
    held.runner_id === null ? null : `runner ${held.runner_id}`,
  ].filter((part) => part !== null);
  const remedy = "Cancel the job and wait for its end, or repeat with force when you are sure that it is dead.";
  return problem(409, "conflict", `lock ${held.lock_id} is held by ${holder.join(", ")}, which is alive`, remedy);
}
