import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { auditDoc } from "../../../../protocol/operator.ts";
import type { AuditLog } from "../../../audit.ts";
import { answers, countParam, named, seqParam } from "../schemas.ts";

const list = createRoute({
  method: "get",
  path: "/audit",
  tags: ["audit"],
  summary: "The audit trail: every changing call of an operator, oldest first",
  description:
    "`line` is a JSON object with the hash of the line before it (`prev`) and its own (`hash`, over the line up to it), so that a reader can check the chain without trusting this server.",
  request: { query: z.object({ after: seqParam, limit: countParam(1_000, 200) }) },
  responses: answers(z.array(named(auditDoc, "AuditLine")), "Lines behind `after`"),
});

export const AUDIT_ROUTES = [list];

export function auditRoutes(app: OpenAPIHono, audit: AuditLog): void {
  app.openapi(list, (c) => {
    const { after, limit } = c.req.valid("query");
    return c.json(audit.list(after ?? 0, limit), 200);
  });
}
