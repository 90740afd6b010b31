import type { Family, Point } from "./metrics.ts";
import { type Encoding, encodeOtlp, type OtlpOut } from "./otlp-out.ts";
import { KIND, nanos, STATUS_ERROR } from "./span-bytes.ts";
import type { FinishedSpan } from "./tracer.ts";

/** Who sends: attributes of the resource, and the version of the one scope. */
export interface Sender {
  readonly resource: Readonly<Record<string, string | number>>;
  readonly version: string;
}

const SCOPE = "runner";
const CUMULATIVE = 2;

/** `ExportTraceServiceRequest`. */
export function encodeTraces(encoding: Encoding, spans: readonly FinishedSpan[], sender: Sender): Uint8Array {
  return encodeOtlp(encoding, (out) =>
    out.each(1, "resourceSpans", [sender], (group) => {
      writeResource(group, sender);
      group.each(2, "scopeSpans", [sender], (scope) => {
        writeScope(scope, sender);
        scope.spans(2, spans, writeSpan);
      });
    }),
  );
}

/** For JSON; protobuf's stand in span-bytes.ts. */
function writeSpan(out: OtlpOut, span: FinishedSpan): void {
  out.id(1, "traceId", span.traceId);
  out.id(2, "spanId", span.spanId);
  if (span.parentId !== null) out.id(4, "parentSpanId", span.parentId);
  out.text(5, "name", span.name);
  out.small(6, "kind", KIND[span.kind]);
  out.fixed(7, "startTimeUnixNano", nanos(span.startMs));
  out.fixed(8, "endTimeUnixNano", nanos(Math.max(span.startMs, span.endMs)));
  out.attributes(9, span.attributes);
  const { error } = span;
  if (error === null) return;
  out.message(15, "status", (status) => {
    status.text(2, "message", error);
    status.small(3, "code", STATUS_ERROR);
  });
}

/** `ExportMetricsServiceRequest`; sums are cumulative since `startMs`. */
export function encodeMetrics(
  encoding: Encoding,
  families: readonly Family[],
  times: { readonly startMs: number; readonly nowMs: number },
  sender: Sender,
): Uint8Array {
  const stamp = (point: OtlpOut) => {
    point.fixed(2, "startTimeUnixNano", nanos(times.startMs));
    point.fixed(3, "timeUnixNano", nanos(times.nowMs));
  };
  return encodeOtlp(encoding, (out) =>
    out.each(1, "resourceMetrics", [sender], (group) => {
      writeResource(group, sender);
      group.each(2, "scopeMetrics", [sender], (scope) => {
        writeScope(scope, sender);
        scope.each(2, "metrics", families, (metric, family) => writeMetric(metric, family, stamp));
      });
    }),
  );
}

function writeMetric(out: OtlpOut, { name, help, type, points }: Family, stamp: (point: OtlpOut) => void): void {
  out.text(1, "name", name);
  out.text(2, "description", help);
  out.text(3, "unit", unitOf(name));
  const number = (into: OtlpOut) =>
    into.each(1, "dataPoints", points, (point, { labels, value }) => {
      stamp(point);
      point.double(4, "asDouble", value);
      point.attributes(7, Object.fromEntries(labels));
    });
  if (type === "gauge") out.message(5, "gauge", number);
  else if (type === "counter") {
    out.message(7, "sum", (sum) => {
      number(sum);
      sum.small(2, "aggregationTemporality", CUMULATIVE);
      sum.flag(3, "isMonotonic", true);
    });
  } else {
    out.message(9, "histogram", (histogram) => {
      histogram.each(1, "dataPoints", points, (point, one) => writeHistogramPoint(point, one, stamp));
      histogram.small(2, "aggregationTemporality", CUMULATIVE);
    });
  }
}

function writeHistogramPoint(out: OtlpOut, { labels, value, buckets }: Point, stamp: (point: OtlpOut) => void): void {
  const counts = buckets?.counts ?? [];
  const within = counts.reduce((sum, n) => sum + n, 0);
  stamp(out);
  out.fixed(4, "count", BigInt(buckets?.count ?? 0));
  out.double(5, "sum", value);
  // The last bucket is everything above the last bound.
  out.fixedList(6, "bucketCounts", [...counts, (buckets?.count ?? 0) - within].map(BigInt));
  out.doubleList(7, "explicitBounds", buckets?.bounds ?? []);
  out.attributes(9, Object.fromEntries(labels));
}

function writeResource(out: OtlpOut, { resource }: Sender): void {
  out.message(1, "resource", (inner) => inner.attributes(1, resource));
}

function writeScope(out: OtlpOut, { version }: Sender): void {
  out.message(1, "scope", (scope) => {
    scope.text(1, "name", SCOPE);
    scope.text(2, "version", version);
  });
}

/** The unit that a Prometheus name ends with, in OpenTelemetry's spelling. */
function unitOf(name: string): string {
  const word = name.replace(/_total$/, "");
  return word.endsWith("_seconds") ? "s" : word.endsWith("_bytes") ? "By" : "1";
}
