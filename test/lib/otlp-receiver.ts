import { readFields } from "../../internal/protocol/protobuf.ts";

/** A span as a collector reads it, from either encoding. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: a root. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: number;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly status: { readonly code: number; readonly message: string };
  readonly resource: Readonly<Record<string, unknown>>;
}

export interface ReceivedMetric {
  readonly name: string;
  readonly unit: string;
  /** Of sums and gauges. */
  readonly values: readonly { readonly labels: Readonly<Record<string, unknown>>; readonly value: number }[];
  /** Of histograms. */
  readonly counts: readonly number[];
}

export interface OtlpReceiver {
  readonly url: string;
  readonly requests: { readonly path: string; readonly headers: Headers; readonly bytes: number }[];
  readonly spans: ReceivedSpan[];
  /** The last value of each metric. */
  readonly metrics: Map<string, ReceivedMetric>;
  /** Every byte that came, as text, to look for secrets. */
  text(): string;
  /** Answers by script; null: as a collector does. */
  answer: ((path: string) => Response | Promise<Response> | null) | null;
  stop(): void;
}

type Raw = Readonly<Record<string, unknown>>;

/** A collector's OTLP/HTTP endpoint: decodes protobuf by the numbers of the .proto files, and JSON. */
export function startOtlpReceiver(port = 0): OtlpReceiver {
  const bodies: string[] = [];
  const receiver: Omit<OtlpReceiver, "url" | "stop"> = {
    requests: [],
    spans: [],
    metrics: new Map(),
    text: () => bodies.join("\n"),
    answer: null,
  };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port,
    async fetch(request) {
      const path = new URL(request.url).pathname;
      const raw = new Uint8Array(await request.arrayBuffer());
      receiver.requests.push({ path, headers: request.headers, bytes: raw.length });
      const scripted = receiver.answer?.(path) ?? null;
      if (scripted !== null) return scripted;
      const body = request.headers.get("content-encoding") === "gzip" ? Bun.gunzipSync(raw) : raw;
      bodies.push(Buffer.from(body).toString("latin1"));
      const json = request.headers.get("content-type") === "application/json";
      const document = json ? (JSON.parse(Buffer.from(body).toString()) as Raw) : decode(body, ROOTS[path] ?? {});
      if (path === "/v1/traces") receiver.spans.push(...spansIn(document));
      if (path === "/v1/metrics") for (const one of metricsIn(document)) receiver.metrics.set(one.name, one);
      return json ? Response.json({}) : new Response(null, { headers: { "content-type": "application/x-protobuf" } });
    },
  });
  return Object.assign(receiver, { url: `http://127.0.0.1:${server.port}`, stop: () => void server.stop(true) });
}

/** name → kind; `[x]`: repeated. */
type Shape = { readonly [field: number]: readonly [name: string, kind: Kind] };
type Kind = "text" | "id" | "number" | "double" | "bool" | "doubles" | "fixeds" | { one: Shape } | { many: Shape };

const VALUE: Record<number, readonly [string, Kind]> = {
  1: ["stringValue", "text"],
  2: ["boolValue", "bool"],
  3: ["intValue", "number"],
  4: ["doubleValue", "double"],
};
VALUE[5] = ["arrayValue", { one: { 1: ["values", { many: VALUE }] } }];
const PAIR: Shape = { 1: ["key", "text"], 2: ["value", { one: VALUE }] };
const RESOURCE: Shape = { 1: ["attributes", { many: PAIR }] };
const SPAN: Shape = {
  1: ["traceId", "id"],
  2: ["spanId", "id"],
  4: ["parentSpanId", "id"],
  5: ["name", "text"],
  6: ["kind", "number"],
  7: ["startTimeUnixNano", "number"],
  8: ["endTimeUnixNano", "number"],
  9: ["attributes", { many: PAIR }],
  15: ["status", { one: { 2: ["message", "text"], 3: ["code", "number"] } }],
};
const POINT: Shape = { 3: ["timeUnixNano", "number"], 4: ["asDouble", "double"], 7: ["attributes", { many: PAIR }] };
const HISTOGRAM_POINT: Shape = {
  4: ["count", "number"],
  5: ["sum", "double"],
  6: ["bucketCounts", "fixeds"],
  7: ["explicitBounds", "doubles"],
  9: ["attributes", { many: PAIR }],
};
const METRIC: Shape = {
  1: ["name", "text"],
  3: ["unit", "text"],
  5: ["gauge", { one: { 1: ["dataPoints", { many: POINT }] } }],
  7: ["sum", { one: { 1: ["dataPoints", { many: POINT }], 3: ["isMonotonic", "bool"] } }],
  9: ["histogram", { one: { 1: ["dataPoints", { many: HISTOGRAM_POINT }] } }],
};
const group = (scopes: string, items: string, item: Shape): Shape => ({
  1: ["resource", { one: RESOURCE }],
  2: [scopes, { many: { 2: [items, { many: item }] } }],
});
const ROOTS: Readonly<Record<string, Shape>> = {
  "/v1/traces": { 1: ["resourceSpans", { many: group("scopeSpans", "spans", SPAN) }] },
  "/v1/metrics": { 1: ["resourceMetrics", { many: group("scopeMetrics", "metrics", METRIC) }] },
};

function decode(bytes: Uint8Array, shape: Shape): Raw {
  const out: Record<string, unknown> = {};
  readFields(bytes, (field, value) => {
    const [name, kind] = shape[field] ?? [];
    if (!name || !kind) return;
    if (typeof kind === "object" && "many" in kind && value instanceof Uint8Array)
      out[name] = [...((out[name] as Raw[] | undefined) ?? []), decode(value, kind.many)];
    else if (typeof kind === "object" && "one" in kind && value instanceof Uint8Array)
      out[name] = decode(value, kind.one);
    else out[name] = scalar(kind, value);
  });
  return out;
}

function scalar(kind: Kind, value: bigint | Uint8Array): unknown {
  if (value instanceof Uint8Array) {
    const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
    const eights = Array.from({ length: Math.floor(value.length / 8) }, (_, n) => n * 8);
    if (kind === "fixeds") return eights.map((at) => String(view.getBigUint64(at, true)));
    if (kind === "doubles") return eights.map((at) => view.getFloat64(at, true));
    return kind === "id" ? Buffer.from(value).toString("hex") : Buffer.from(value).toString("utf8");
  }
  if (kind === "bool") return value !== 0n;
  if (kind !== "double") return String(value);
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, value);
  return view.getFloat64(0);
}

const list = (raw: Raw, name: string): readonly Raw[] => (raw[name] as readonly Raw[] | undefined) ?? [];
const child = (raw: Raw, name: string): Raw => (raw[name] as Raw | undefined) ?? {};
const word = (raw: Raw, name: string): string => String(raw[name] ?? "");

function attributesOf(raw: Raw): Record<string, unknown> {
  const plain = (value: Raw): unknown => {
    if ("intValue" in value) return Number(value.intValue);
    if ("arrayValue" in value) return list(child(value, "arrayValue"), "values").map(plain);
    return value.stringValue ?? value.boolValue ?? value.doubleValue ?? null;
  };
  return Object.fromEntries(list(raw, "attributes").map((pair) => [word(pair, "key"), plain(child(pair, "value"))]));
}

function spansIn(document: Raw): ReceivedSpan[] {
  return list(document, "resourceSpans").flatMap((resource) =>
    list(resource, "scopeSpans").flatMap((scope) =>
      list(scope, "spans").map((span) => ({
        traceId: word(span, "traceId"),
        spanId: word(span, "spanId"),
        parentSpanId: word(span, "parentSpanId"),
        name: word(span, "name"),
        kind: Number(span.kind),
        startNs: BigInt(word(span, "startTimeUnixNano")),
        endNs: BigInt(word(span, "endTimeUnixNano")),
        attributes: attributesOf(span),
        status: { code: Number(child(span, "status").code ?? 0), message: word(child(span, "status"), "message") },
        resource: attributesOf(child(resource, "resource")),
      })),
    ),
  );
}

function metricsIn(document: Raw): ReceivedMetric[] {
  return list(document, "resourceMetrics").flatMap((resource) =>
    list(resource, "scopeMetrics").flatMap((scope) =>
      list(scope, "metrics").map((metric) => {
        const points = [...list(child(metric, "sum"), "dataPoints"), ...list(child(metric, "gauge"), "dataPoints")];
        return {
          name: word(metric, "name"),
          unit: word(metric, "unit"),
          values: points.map((point) => ({ labels: attributesOf(point), value: Number(point.asDouble) })),
          counts: list(child(metric, "histogram"), "dataPoints").map((point) => Number(point.count)),
        };
      }),
    ),
  );
}
