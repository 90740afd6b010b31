import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { reportedDoc, spanDoc } from "../../../../protocol/reported.ts";
import { lastHealthChecks } from "../../../store/transitions/health-checks.ts";
import { reportedMetrics } from "../../../store/transitions/reported-metrics.ts";
import { spansOfJob } from "../../../store/transitions/reported-spans.ts";
import type { OperatorDeps } from "../deps.ts";
import { at } from "../job-views.ts";
import { notFound } from "../problem.ts";
import { answers, idParam, named } from "../schemas.ts";

const reported = createRoute({
  method: "get",
  path: "/runners/{id}/reported",
  tags: ["runners"],
  summary: "Health checks and metrics that a runner sent",
  description: "The last check of each process and the last value of each series; at most 500 series are kept.",
  request: { params: idParam },
  responses: answers(named(reportedDoc, "Reported"), "What it said last"),
});
const spans = createRoute({
  method: "get",
  path: "/jobs/{id}/spans",
  tags: ["jobs"],
  summary: "Spans that runners sent for a job",
  description: "In the order they came; of each runner the newest 5,000 are kept.",
  request: { params: idParam },
  responses: answers(z.strictObject({ spans: z.array(named(spanDoc, "Span")) }), "The spans; often none"),
});

export const REPORTED_ROUTES = [reported, spans];

export function reportedRoutes(app: OpenAPIHono, { store }: OperatorDeps): void {
  app.openapi(reported, (c) => {
    const { id } = c.req.valid("param");
    if (!store.runners.get(id)) throw notFound("runner", id);
    return c.json(
      {
        health_checks: lastHealthChecks(store, id).map(({ process, status, created_at }) => ({
          process,
          status,
          at: at(created_at),
        })),
        metrics: reportedMetrics(store, id).map(({ name, labels, kind, value, updated_at }) => ({
          name,
          attributes: labels,
          kind,
          value,
          at: at(updated_at),
        })),
      },
      200,
    );
  });
  app.openapi(spans, (c) => {
    const { id } = c.req.valid("param");
    if (!store.sql.job.get(id)) throw notFound("job", id);
    return c.json({ spans: spansOfJob(store, id) }, 200);
  });
}
