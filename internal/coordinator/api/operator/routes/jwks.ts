import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { jwksDoc } from "../../../../protocol/operator.ts";
import type { OperatorDeps } from "../deps.ts";
import { answers, named } from "../schemas.ts";

const show = createRoute({
  method: "get",
  path: "/jwks",
  tags: ["keys"],
  summary: "The public keys that work is signed with",
  description:
    "For a runner's `--trust-keys`. Empty when this coordinator signs nothing. Compare it with what `runner keys show` prints on the machine of the key: a runner should not trust what it was told over the network.",
  responses: answers(named(jwksDoc, "Jwks"), "The keys, as RFC 7517 writes them"),
});

export const JWKS_ROUTES = [show];

export function jwksRoutes(app: OpenAPIHono, { signingKeys = [] }: OperatorDeps): void {
  app.openapi(show, (c) => c.json({ keys: [...signingKeys] }, 200));
}
