import { z } from "zod";
import { anyObject } from "./base.ts";

/** Traces and metrics a runner sends as OTLP JSON (nuon-runner-api.md 8.5). What is inside is read by protocol/otlp-json.ts. */
export const traceExportRequest = z.looseObject({ resourceSpans: z.array(anyObject).nullish() });
export const metricExportRequest = z.looseObject({ resourceMetrics: z.array(anyObject).nullish() });

/** POST /v1/general/metrics: a list of these; each entry names one kind. */
export const publishMetric = z.looseObject({
  incr: anyObject.nullish(),
  decr: anyObject.nullish(),
  timing: anyObject.nullish(),
  event: anyObject.nullish(),
});
export const publishMetricsAnswer = z.looseObject({ status: z.literal("ok") });
