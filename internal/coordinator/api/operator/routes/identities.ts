import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { type IdentityDoc, identityCreate, identityDoc } from "../../../../protocol/operator.ts";
import { endOf } from "../../../store/exchanged-tokens.ts";
import type { RunnerIdentitiesTable, RunnerTokensTable } from "../../../store/schema.ts";
import type { Store } from "../../../store/store.ts";
import { distrustIdentity, identitiesOf, trustIdentity } from "../../../store/transitions/identities.ts";
import { ADMIN, type OperatorDeps } from "../deps.ts";
import { at, atOrNull } from "../job-views.ts";
import { explained, notFound, unwrap } from "../problem.ts";
import { answers, DONE, done, idParam, jsonBody, named } from "../schemas.ts";

const tags = ["runners"];
const identity = named(identityDoc, "Identity");
const params = idParam.extend({ identity_id: z.string().openapi({ description: "Id of an identity" }) });

const list = createRoute({
  method: "get",
  path: "/runners/{id}/identities",
  tags,
  summary: "Cloud identities that get a token of this runner",
  request: { params: idParam },
  responses: answers(z.array(identity), "All of them"),
});
const trust = createRoute({
  method: "post",
  path: "/runners/{id}/identities",
  tags,
  summary: "Give a token of this runner to whoever proves this identity",
  description: "The same identity again changes nothing.",
  request: { params: idParam, body: jsonBody(named(identityCreate, "IdentityCreate"), true) },
  responses: answers(identity, "The identity"),
});
const distrust = createRoute({
  method: "delete",
  path: "/runners/{id}/identities/{identity_id}",
  tags,
  summary: "Trust an identity no more; the tokens that it got stop working at once",
  request: { params },
  responses: answers(done, "Removed"),
});

export const IDENTITY_ROUTES = [list, trust, distrust];

export function identityRoutes(app: OpenAPIHono, { store }: OperatorDeps): void {
  app.openapi(list, (c) => {
    const { id } = c.req.valid("param");
    if (!store.runners.get(id)) throw noSuch(id);
    return c.json(
      identitiesOf(store, id).map((row) => view(store, row)),
      200,
    );
  });
  app.openapi(
    trust,
    (c) => {
      const { id } = c.req.valid("param");
      const trusted = trustIdentity(store, { runnerId: id, identity: c.req.valid("json").identity, by: ADMIN });
      if (trusted === null) throw noSuch(id);
      return c.json(view(store, unwrap(trusted)), 200);
    },
    explained({ json: identityCreate }),
  );
  app.openapi(distrust, (c) => {
    const { id, identity_id: identityId } = c.req.valid("param");
    if (!distrustIdentity(store, id, identityId, ADMIN))
      throw notFound(`identity ${identityId} of runner ${id}`, "`runner runners identities RUNNER` shows them.");
    return c.json(DONE, 200);
  });
}

function view(store: Store, row: RunnerIdentitiesTable): IdentityDoc {
  const now = store.clock.now();
  const rows = store.db
    .prepare<RunnerTokensTable, [string]>("SELECT * FROM runner_tokens WHERE identity_id = ? ORDER BY issued_at")
    .all(row.id);
  const last = rows.at(-1);
  return {
    id: row.id,
    identity: row.identity,
    created_at: at(row.created_at),
    created_by: row.created_by,
    tokens: rows.filter((token) => endOf(token) > now).length,
    last: last
      ? { at: at(last.issued_at), subject: last.subject, address: last.address, used_at: atOrNull(last.used_at) }
      : null,
  };
}

const noSuch = (id: string) => notFound(`runner ${id}`, "`runner runners list` shows the ids.");
