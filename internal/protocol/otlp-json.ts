import { z } from "zod";

/**
 * OTLP traces and metrics in their JSON form (nuon-runner-api.md 8.5), read into what a control plane keeps. Integers of
 * 64 bits are text or numbers there, ids hex text; unknown keys and kinds of values are passed over.
 */
export type Scalar = string | number | boolean;

/** A span as it is kept: times are decimal nanoseconds since the epoch. */
export interface Span {
  readonly trace_id: string;
  readonly span_id: string;
  readonly parent_span_id: string;
  readonly name: string;
  /** OTLP's number: 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
  readonly kind: number;
  readonly start_ns: string;
  readonly end_ns: string;
  /** 0 unset, 1 ok, 2 error. */
  readonly status: number;
  readonly status_message: string;
  readonly service: string;
  readonly scope: string;
  readonly attributes: Readonly<Record<string, Scalar>>;
  readonly events: readonly { readonly time_ns: string; readonly name: string }[];
}

/** The value of one series at one time. A histogram becomes two: `<name>.count` and `<name>.sum`. */
export interface MetricPoint {
  readonly name: string;
  readonly kind: "gauge" | "sum" | "histogram" | "count" | "timing";
  readonly value: number;
  /** The value is added to what is known (delta temporality), not put in its place. */
  readonly change: boolean;
  readonly attributes: Readonly<Record<string, Scalar>>;
}

const text = z.string().max(4_096).nullish();
const integer = z.union([z.string().regex(/^-?\d{1,20}$/), z.number()]).nullish();
const list = <T extends z.ZodType>(item: T) => z.array(item).max(20_000).nullish();

const anyValue = z.looseObject({
  stringValue: z.string().nullish(),
  boolValue: z.boolean().nullish(),
  intValue: integer,
  doubleValue: z.number().nullish(),
});
const attributes = list(z.looseObject({ key: z.string().max(256), value: anyValue.nullish() }));
const resource = z.looseObject({ attributes }).nullish();
const scope = z.looseObject({ name: text }).nullish();

const span = z.looseObject({
  traceId: z.string().max(64).nullish(),
  spanId: z.string().max(32).nullish(),
  parentSpanId: z.string().max(32).nullish(),
  name: text,
  kind: z.number().int().nullish(),
  startTimeUnixNano: integer,
  endTimeUnixNano: integer,
  attributes,
  events: list(z.looseObject({ timeUnixNano: integer, name: text })),
  status: z.looseObject({ code: z.number().int().nullish(), message: text }).nullish(),
});

/** Body of POST …/traces. */
export const tracesBody = z.looseObject({
  resourceSpans: list(z.looseObject({ resource, scopeSpans: list(z.looseObject({ scope, spans: list(span) })) })),
});

const numberPoint = z.looseObject({ asDouble: z.number().nullish(), asInt: integer, attributes });
const histogramPoint = z.looseObject({ count: integer, sum: z.number().nullish(), attributes });
const temporality = z.number().int().nullish();
const metric = z.looseObject({
  name: text,
  gauge: z.looseObject({ dataPoints: list(numberPoint) }).nullish(),
  sum: z.looseObject({ dataPoints: list(numberPoint), aggregationTemporality: temporality }).nullish(),
  histogram: z.looseObject({ dataPoints: list(histogramPoint), aggregationTemporality: temporality }).nullish(),
});

/** Body of POST …/metrics. */
export const metricsBody = z.looseObject({
  resourceMetrics: list(
    z.looseObject({ resource, scopeMetrics: list(z.looseObject({ scope, metrics: list(metric) })) }),
  ),
});

const DELTA = 1;

/** Every span of a request, in order. */
export function spansOf(body: z.infer<typeof tracesBody>): Span[] {
  return (body.resourceSpans ?? []).flatMap((group) => {
    const service = String(plain(group.resource?.attributes)["service.name"] ?? "");
    return (group.scopeSpans ?? []).flatMap((inner) =>
      (inner.spans ?? []).map((one) => ({
        trace_id: one.traceId ?? "",
        span_id: one.spanId ?? "",
        parent_span_id: one.parentSpanId ?? "",
        name: one.name ?? "",
        kind: one.kind ?? 0,
        start_ns: String(one.startTimeUnixNano ?? 0),
        end_ns: String(one.endTimeUnixNano ?? 0),
        status: one.status?.code ?? 0,
        status_message: one.status?.message ?? "",
        service,
        scope: inner.scope?.name ?? "",
        attributes: plain(one.attributes),
        events: (one.events ?? []).map((event) => ({
          time_ns: String(event.timeUnixNano ?? 0),
          name: event.name ?? "",
        })),
      })),
    );
  });
}

/** Every number of a request, in order; points without a value are left out. */
export function metricPointsOf(body: z.infer<typeof metricsBody>): MetricPoint[] {
  const metrics = (body.resourceMetrics ?? []).flatMap((group) =>
    (group.scopeMetrics ?? []).flatMap((inner) => inner.metrics ?? []),
  );
  return metrics.flatMap((one) => [...numbersOf(one), ...histogramsOf(one)]);
}

function numbersOf(one: z.infer<typeof metric>): MetricPoint[] {
  const points = (kind: "gauge" | "sum", data: z.infer<typeof numberPoint>[], change: boolean): MetricPoint[] =>
    data.flatMap((point) => {
      const value = point.asDouble ?? (point.asInt === null || point.asInt === undefined ? null : Number(point.asInt));
      if (value === null || !Number.isFinite(value)) return [];
      return [{ name: one.name ?? "", kind, value, change, attributes: plain(point.attributes) }];
    });
  return [
    ...points("gauge", one.gauge?.dataPoints ?? [], false),
    ...points("sum", one.sum?.dataPoints ?? [], one.sum?.aggregationTemporality === DELTA),
  ];
}

function histogramsOf(one: z.infer<typeof metric>): MetricPoint[] {
  const change = one.histogram?.aggregationTemporality === DELTA;
  return (one.histogram?.dataPoints ?? []).flatMap((point) => {
    const kind = "histogram" as const;
    const common = { kind, change, attributes: plain(point.attributes) };
    return [
      { ...common, name: `${one.name ?? ""}.count`, value: Number(point.count ?? 0) },
      { ...common, name: `${one.name ?? ""}.sum`, value: point.sum ?? 0 },
    ];
  });
}

/** Attributes with simple values; lists, maps and bytes are left out. */
function plain(given: z.infer<typeof attributes>): Record<string, Scalar> {
  const found: Record<string, Scalar> = {};
  for (const { key, value } of given ?? []) {
    const simple = value?.stringValue ?? value?.boolValue ?? value?.doubleValue ?? value?.intValue;
    if (simple !== null && simple !== undefined)
      found[key] = typeof simple === "string" ? simple.slice(0, 1_024) : simple;
  }
  return found;
}
