import { z } from "zod";

/** What runners told of themselves, as the operator API shows it. */
export const reportedDoc = z.strictObject({
  /** The last health check of each process; a runner that sends none has an empty list. */
  health_checks: z.array(
    z.strictObject({
      /** `install`, `build`, `mng`; empty: one process that does all. */
      process: z.string(),
      status: z.string(),
      at: z.string(),
    }),
  ),
  /** Last value of each series, by name. */
  metrics: z.array(
    z.strictObject({
      name: z.string(),
      /** `key=value` pairs, joined by commas. */
      attributes: z.string(),
      kind: z.string(),
      value: z.number(),
      at: z.string(),
    }),
  ),
});

/** One span of a job's trace, as its runner sent it. Times are decimal nanoseconds since the epoch. */
export const spanDoc = z.strictObject({
  trace_id: z.string(),
  span_id: z.string(),
  parent_span_id: z.string(),
  name: z.string(),
  /** OTLP's number: 1 internal, 2 server, 3 client. */
  kind: z.number().int(),
  start_ns: z.string(),
  end_ns: z.string(),
  /** 0 unset, 1 ok, 2 error. */
  status: z.number().int(),
  status_message: z.string(),
  service: z.string(),
  scope: z.string(),
  attributes: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  events: z.array(z.strictObject({ time_ns: z.string(), name: z.string() })),
});
export type SpanDoc = z.infer<typeof spanDoc>;
