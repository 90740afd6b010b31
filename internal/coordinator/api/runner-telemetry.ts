import { type Context, Hono } from "hono";
import { z } from "zod";
import type { Registry, Sample } from "../../kit/telemetry/metrics.ts";
import type { Result } from "../../protocol/errors.ts";
import { newId } from "../../protocol/ids.ts";
import { healthCheckRequest } from "../../protocol/nuon/runners.ts";
import { publishMetric } from "../../protocol/nuon/telemetry.ts";
import {
  type MetricPoint,
  metricPointsOf,
  metricsBody,
  type Scalar,
  spansOf,
  tracesBody,
} from "../../protocol/otlp-json.ts";
import { addHealthCheck, lastHealthChecks } from "../store/transitions/health-checks.ts";
import { reportedMetrics, saveMetrics } from "../store/transitions/reported-metrics.ts";
import { saveSpans } from "../store/transitions/reported-spans.ts";
import { runnerAt, runnerOf } from "./auth.ts";
import { parseJson, readBody, readJson, unpackBody } from "./body.ts";
import type { RunnerApiDeps } from "./runner-deps.ts";
import { reachJob } from "./runner-reach.ts";

/** Largest telemetry request, packed or not, bytes. */
const LIMIT = 4 * 1024 * 1024;

/** What runners tell of themselves: health checks, traces, metrics (nuon-runner-api.md 2.17, 8.5). All of it is bounded. */
export function telemetryRoutes(deps: RunnerApiDeps, registry: Registry): Hono {
  const app = new Hono();
  const { store } = deps;
  const dropped = registry.counter(
    "runner_coordinator_reported_dropped_total",
    "Numbers of runners that were not kept, because they report too many series.",
  );
  reportedGauges(deps, registry);

  app.post("/v1/runners/:runner_id/health-checks", async (c) => {
    const runner = runnerAt(store, c, "runner: unable to get runner");
    if (!runner.ok) return runner.error;
    const body = await readJson(c, healthCheckRequest, LIMIT);
    if (!body.ok) return body.error;
    const id = runner.value.row.id;
    const process = (body.value.process ?? "").slice(0, 64);
    const row = await store.db.group(() => addHealthCheck(store, newId("healthCheck"), id, process));
    const at = new Date(row.created_at).toISOString();
    const stored = { id: row.id, created_by_id: id, created_at: at, updated_at: at, runner_id: id };
    return c.json({ ...stored, status_code: 0, process }, 201);
  });

  app.post("/v1/runners/:runner_id/traces", async (c) => {
    const runner = runnerAt(store, c);
    if (!runner.ok) return runner.error;
    const body = await readTelemetry(c, tracesBody);
    if (!body.ok) return body.error;
    const spans = spansOf(body.value).map((span) => {
      const job = span.attributes["runner_job.id"] ?? span.attributes["runner.job.id"];
      const known = typeof job === "string" && reachJob(store, runner.value, job) !== null;
      return { span, jobId: known ? job : null };
    });
    await store.db.group(() => saveSpans(store, runner.value.row.id, spans));
    return c.json("ok");
  });

  const keep = async (runnerId: string, points: readonly MetricPoint[]) => {
    const lost = await store.db.group(() => saveMetrics(store, runnerId, points));
    if (lost > 0) dropped.add(lost);
  };

  app.post("/v1/runners/:runner_id/metrics", async (c) => {
    const runner = runnerAt(store, c);
    if (!runner.ok) return runner.error;
    const body = await readTelemetry(c, metricsBody);
    if (!body.ok) return body.error;
    await keep(runner.value.row.id, metricPointsOf(body.value));
    return c.json("ok", 201);
  });

  app.post("/v1/general/metrics", async (c) => {
    const runner = runnerOf(store, c);
    if (!runner.ok) return runner.error;
    const body = await readTelemetry(c, z.array(publishMetric).max(10_000));
    if (!body.ok) return body.error;
    await keep(runner.value.row.id, body.value.flatMap(publishedOf));
    return c.json({ status: "ok" }, 201);
  });

  return app;
}

/** OTLP JSON, gzip allowed; protobuf is no JSON and gets 400. */
async function readTelemetry<T>(c: Context, schema: z.ZodType<T>): Promise<Result<T, Response>> {
  const packed = await readBody(c, LIMIT);
  if (!packed.ok) return packed;
  const body = unpackBody(c, packed.value, LIMIT);
  if (!body.ok) return body;
  return parseJson(c, body.value, schema);
}

const published = z.looseObject({
  name: z.string().max(256),
  tags: z.array(z.string().max(256)).max(64).nullish(),
  value: z.number().nullish(),
});

/** Counters change by one, or by `value`; a timing keeps its last value; an event is counted under its title. */
function publishedOf(entry: z.infer<typeof publishMetric>): MetricPoint[] {
  const points: MetricPoint[] = [];
  const add = (given: unknown, kind: "count" | "timing", sign: 1 | -1) => {
    const one = published.safeParse(given);
    if (!one.success) return;
    const { name, tags, value } = one.data;
    const attributes: Record<string, Scalar> = {};
    for (const tag of tags ?? []) {
      const [key = "", ...rest] = tag.split(":");
      attributes[key] = rest.join(":");
    }
    const amount = value ?? (kind === "count" ? 1 : 0);
    points.push({ name, kind, value: sign * amount, change: kind === "count", attributes });
  };
  add(entry.incr, "count", 1);
  add(entry.decr, "count", -1);
  add(entry.timing, "timing", 1);
  const title = entry.event?.title ?? entry.event?.name;
  if (typeof title === "string") add({ name: title.slice(0, 256) }, "count", 1);
  return points;
}

/** What runners said last, on `/metrics` beside our own numbers. */
function reportedGauges({ store }: RunnerApiDeps, registry: Registry): void {
  const { runners } = store;
  registry.gauge("runner_reported_metric", "Numbers that runners reported, last value of each series.", () =>
    runners
      .all()
      .flatMap(({ row }) =>
        reportedMetrics(store, row.id).map(
          ({ name, labels, kind, value }): Sample => [
            { runner: row.name, metric: name, kind, attributes: labels },
            value,
          ],
        ),
      ),
  );
  registry.gauge("runner_reported_health_seconds", "Seconds since a runner's process last said that it is well.", () =>
    runners
      .all()
      .flatMap(({ row }) =>
        lastHealthChecks(store, row.id).map(
          ({ process, created_at }): Sample => [
            { runner: row.name, process },
            (store.clock.now() - created_at) / 1_000,
          ],
        ),
      ),
  );
}
