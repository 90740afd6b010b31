import { OpenAPIHono } from "@hono/zod-openapi";
import { bodyLimit } from "hono/body-limit";
import { suggest } from "../../../protocol/suggest.ts";
import { createAuditLog } from "../../audit.ts";
import { adminGuard } from "../auth.ts";
import { audited } from "./audited.ts";
import type { OperatorDeps } from "./deps.ts";
import { openApiDocument } from "./openapi.ts";
import { answerError, explained, problem } from "./problem.ts";
import { auditRoutes } from "./routes/audit.ts";
import { eventRoutes } from "./routes/events.ts";
import { identityRoutes } from "./routes/identities.ts";
import { jobRoutes } from "./routes/jobs.ts";
import { jwksRoutes } from "./routes/jwks.ts";
import { logRoutes } from "./routes/logs.ts";
import { reportedRoutes } from "./routes/reported.ts";
import { runnerRoutes } from "./routes/runners.ts";
import { settingsRoutes } from "./routes/settings.ts";
import { uploadRoutes } from "./routes/sources.ts";
import { workspaceRoutes } from "./routes/workspaces.ts";

/** Largest JSON body in bytes; blobs and manifests have limits of their own. */
const BODY_LIMIT = 16 * 1024 * 1024;

/** The operator API, to be mounted at `/api/v1`. Only its OpenAPI document is given without the admin key. */
export function operatorRoutes(deps: OperatorDeps): OpenAPIHono {
  const audit = createAuditLog(deps.store);
  const app = new OpenAPIHono({ defaultHook: explained() });
  app.onError((error) => answerError(error, (text) => deps.log.error("operator request failed", { error: text })));
  app.get("/openapi.json", (c) => c.json(openApiDocument()));
  app.use("*", adminGuard(deps.adminKey));
  app.use("*", audited(audit, deps.log));
  const limit = bodyLimit({ maxSize: BODY_LIMIT, onError: () => problem(413, "usage", TOO_LARGE).getResponse() });
  app.use("*", (c, next) => (c.req.method === "PUT" ? next() : limit(c, next)));
  jobRoutes(app, deps);
  logRoutes(app, deps);
  eventRoutes(app, deps);
  runnerRoutes(app, deps);
  identityRoutes(app, deps);
  reportedRoutes(app, deps);
  settingsRoutes(app, deps);
  auditRoutes(app, audit);
  jwksRoutes(app, deps);
  workspaceRoutes(app, deps);
  uploadRoutes(app, deps);
  // Not by `notFound`: that of a mounted app is never asked.
  app.all("*", (c) => unknownRoute(c.req.path));
  return app;
}

const TOO_LARGE = `the body is larger than ${BODY_LIMIT} bytes`;
const ROOMS = ["jobs", "runners", "settings", "audit", "workspaces", "events", "jwks", "sources", "openapi.json"];

function unknownRoute(path: string): Response {
  const room = path.replace(/^\/api\/v1\/?/, "").split("/")[0] ?? "";
  const near = ROOMS.includes(room) ? null : suggest(room, ROOMS);
  const remedy = near === null ? "GET /api/v1/openapi.json lists the routes." : `Did you mean /api/v1/${near}?`;
  return problem(404, "usage", `there is no route ${path} for this method`, remedy).getResponse();
}
