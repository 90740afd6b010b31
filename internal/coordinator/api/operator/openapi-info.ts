import type { OpenAPIHono } from "@hono/zod-openapi";

/** The document of an app with all routes on it. */
export function describeApi(app: OpenAPIHono) {
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
