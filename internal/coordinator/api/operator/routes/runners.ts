import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { runnerCreate, runnerCreated, runnerDoc } from "../../../../protocol/operator.ts";
import { createRunner, deleteRunner, drainRunner, rotateToken } from "../../../store/transitions/runners.ts";
import { ADMIN, type OperatorDeps } from "../deps.ts";
import { explained, notFound, unwrap } from "../problem.ts";
import { runnerView } from "../runner-views.ts";
import { answers, DONE, done, idParam, jsonBody, named, reasonBody, reasonFrom } from "../schemas.ts";

const tags = ["runners"];
const runner = named(runnerDoc, "Runner");

const create = createRoute({
  method: "post",
  path: "/runners",
  tags,
  summary: "Create a runner",
  description: "The token is shown here and never again.",
  request: { body: jsonBody(named(runnerCreate, "RunnerCreate"), true) },
  responses: answers(named(runnerCreated, "RunnerCreated"), "Created"),
});
const list = createRoute({
  method: "get",
  path: "/runners",
  tags,
  summary: "List runners",
  responses: answers(z.array(runner), "All of them"),
});
const show = createRoute({
  method: "get",
  path: "/runners/{id}",
  tags,
  summary: "Show a runner",
  request: { params: idParam },
  responses: answers(runner, "The runner"),
});
const remove = createRoute({
  method: "delete",
  path: "/runners/{id}",
  tags,
  summary: "Delete a runner; its token stops working at once",
  request: { params: idParam },
  responses: answers(done, "Deleted"),
});
const rotate = createRoute({
  method: "post",
  path: "/runners/{id}/rotate",
  tags,
  summary: "New token; every old one stops working at once, those got by an identity too",
  request: { params: idParam },
  responses: answers(runnerCreated, "The new token, shown once"),
});
const drain = createRoute({
  method: "post",
  path: "/runners/{id}/drain",
  tags,
  summary: "Give it no new work; it stops when it is done",
  request: { params: idParam, body: jsonBody(reasonBody, false) },
  responses: answers(done, "Draining"),
});

export const RUNNER_ROUTES = [create, list, show, remove, rotate, drain];

export function runnerRoutes(app: OpenAPIHono, { store }: OperatorDeps): void {
  app.openapi(
    create,
    (c) => {
      const { name, labels, identity } = c.req.valid("json");
      return c.json(
        unwrap(createRunner(store, { name, labels: labels ?? {}, identity: identity ?? null, by: ADMIN })),
        200,
      );
    },
    explained({ json: runnerCreate }),
  );
  app.openapi(list, (c) =>
    c.json(
      store.runners.all().map((known) => runnerView(store, known)),
      200,
    ),
  );
  app.openapi(show, (c) => {
    const { id } = c.req.valid("param");
    const known = store.runners.get(id);
    if (known === undefined) throw noSuch(id);
    return c.json(runnerView(store, known), 200);
  });
  app.openapi(remove, (c) => {
    const { id } = c.req.valid("param");
    if (!deleteRunner(store, id, ADMIN)) throw noSuch(id);
    return c.json(DONE, 200);
  });
  app.openapi(rotate, (c) => {
    const { id } = c.req.valid("param");
    const rotated = rotateToken(store, id, ADMIN);
    if (rotated === null) throw noSuch(id);
    return c.json({ id, token: rotated.token }, 200);
  });
  app.openapi(
    drain,
    (c) => {
      const { id } = c.req.valid("param");
      if (!drainRunner(store, id, ADMIN, reasonFrom(c.req.valid("json")))) throw noSuch(id);
      return c.json(DONE, 200);
    },
    explained({ json: reasonBody }),
  );
}

const noSuch = (id: string) => notFound(`runner ${id}`, "`runner runners list` shows the ids.");
