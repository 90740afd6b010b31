import { OpenAPIHono } from "@hono/zod-openapi";
import { AUDIT_ROUTES } from "./routes/audit.ts";
import { EVENT_ROUTES } from "./routes/events.ts";
import { IDENTITY_ROUTES } from "./routes/identities.ts";
import { JOB_ROUTES } from "./routes/jobs.ts";
import { JWKS_ROUTES } from "./routes/jwks.ts";
import { LOG_ROUTES } from "./routes/logs.ts";
import { REPORTED_ROUTES } from "./routes/reported.ts";
import { RUNNER_ROUTES } from "./routes/runners.ts";
import { SETTINGS_ROUTES } from "./routes/settings.ts";
import { UPLOAD_ROUTES } from "./routes/sources.ts";
import { WORKSPACE_ROUTES } from "./routes/workspaces.ts";

/** Every documented route of the operator API; a test compares it with what is served. */
export const OPERATOR_ROUTES = [
  ...JOB_ROUTES,
  ...LOG_ROUTES,
  ...EVENT_ROUTES,
  ...RUNNER_ROUTES,
  ...IDENTITY_ROUTES,
  ...REPORTED_ROUTES,
  ...SETTINGS_ROUTES,
  ...AUDIT_ROUTES,
  ...JWKS_ROUTES,
  ...WORKSPACE_ROUTES,
  ...UPLOAD_ROUTES,
];

type Document = ReturnType<OpenAPIHono["getOpenAPI31Document"]>;
let made: Document | null = null;

/** The OpenAPI 3.1 document of the operator API, from the schemas that check its requests. Made once. */
export function openApiDocument(): Document {
  made ??= makeDocument();
  return made;
}

function makeDocument(): Document {
  const app = new OpenAPIHono();
  for (const route of OPERATOR_ROUTES) app.openAPIRegistry.registerPath(route);
  app.openAPIRegistry.registerComponent("securitySchemes", "adminKey", { type: "http", scheme: "bearer" });
  return app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "runner coordinator: operator API",
      version: "1",
      description: "Queue, runners, workspaces, sources and the timeline. Unknown keys are refused.",
    },
    servers: [{ url: "/api/v1" }],
    security: [{ adminKey: [] }],
  });
}
