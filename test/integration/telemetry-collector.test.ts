import { afterEach, describe, expect, test } from "bun:test";
import { createSystemLog } from "../../internal/kit/base/system-log.ts";
import { createRegistry } from "../../internal/kit/telemetry/metrics.ts";
import { openTelemetry } from "../../internal/kit/telemetry/telemetry.ts";
import { spanIdOf, traceIdOf } from "../../internal/kit/telemetry/trace-ids.ts";
import type { FinishedSpan } from "../../internal/kit/telemetry/tracer.ts";
import { type OtlpReceiver, startOtlpReceiver } from "../lib/otlp-receiver.ts";

const collectors: OtlpReceiver[] = [];
afterEach(() => {
  for (const collector of collectors.splice(0)) collector.stop();
});
const collect = (): OtlpReceiver => {
  const collector = startOtlpReceiver();
  collectors.push(collector);
  return collector;
};

function open(env: Record<string, string>) {
  const lines: string[] = [];
  const log = createSystemLog({ format: "text", level: "info", write: (line) => void lines.push(line) });
  const telemetry = openTelemetry({ env, service: "runner", version: "1.2.3", resource: { "runner.id": "run1" }, log });
  const registry = createRegistry();
  telemetry.push(registry);
  const emit = (count: number) => {
    for (let n = 0; n < count; n++) telemetry.tracer?.emit(span(n));
  };
  return { telemetry, registry, lines, emit, warnings: () => lines.filter((line) => line.includes(" warn ")) };
}

const ATTRIBUTES = {
  text: "ü",
  empty: "",
  long: "é".repeat(9_000),
  whole: 7,
  large: 1_700_000_000_000,
  half: 0.5,
  yes: true,
  list: ["a", "b"],
};

const span = (n: number): FinishedSpan => ({
  traceId: traceIdOf("job1"),
  spanId: spanIdOf("test", n),
  parentId: null,
  name: `span ${n}`,
  kind: "internal",
  startMs: 1_700_000_000_000.25,
  endMs: 1_700_000_000_001.5,
  attributes: { ...ATTRIBUTES, absent: null },
  error: n === 0 ? "it broke" : null,
});

const until = async (what: () => boolean) => {
  while (!what()) await Bun.sleep(5);
};

describe("a collector", () => {
  for (const protocol of ["http/protobuf", "http/json"]) {
    for (const compression of ["none", "gzip"]) {
      test(`gets spans and metrics whole as ${protocol}, compression ${compression}`, async () => {
        const collector = collect();
        const { telemetry, registry, emit, warnings } = open({
          OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
          OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
          OTEL_EXPORTER_OTLP_COMPRESSION: compression,
          OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20abc, x-tenant=t1",
          OTEL_RESOURCE_ATTRIBUTES: "deployment.environment=test,service.name=other",
          OTEL_SERVICE_NAME: "mine",
        });
        registry.counter("jobs_total", "Jobs.", ["type"]).add(3, "noop");
        registry.histogram("step_seconds", "Steps.", [1, 5]).observe(0.5);
        emit(2);
        await telemetry.end(5_000);
        expect(collector.spans).toHaveLength(2);
        expect(collector.spans[0]).toMatchObject({
          traceId: traceIdOf("job1"),
          spanId: spanIdOf("test", 0),
          name: "span 0",
          startNs: 1_700_000_000_000_250_000n,
          endNs: 1_700_000_000_001_500_000n,
          attributes: ATTRIBUTES,
          status: { code: 2, message: "it broke" },
          resource: {
            "service.name": "mine",
            "service.version": "1.2.3",
            "runner.id": "run1",
            "deployment.environment": "test",
          },
        });
        expect(collector.spans[0]?.attributes).not.toHaveProperty("absent");
        expect(collector.metrics.get("jobs_total")?.values).toEqual([{ labels: { type: "noop" }, value: 3 }]);
        expect(collector.metrics.get("step_seconds")).toMatchObject({ unit: "s", counts: [1] });
        expect(collector.requests.map(({ headers }) => headers.get("authorization"))).toEqual([
          "Bearer abc",
          "Bearer abc",
        ]);
        expect(warnings()).toEqual([]);
      });
    }
  }

  test("that is busy is waited for as it asks, and then gets everything once", async () => {
    const collector = collect();
    let asked = 0;
    collector.answer = () => (asked++ < 1 ? new Response("", { status: 503, headers: { "retry-after": "1" } }) : null);
    const { telemetry, emit, warnings } = open({
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.url}/v1/traces`,
      OTEL_BSP_SCHEDULE_DELAY: "1",
    });
    emit(3);
    await until(() => collector.spans.length === 3);
    expect(collector.requests).toHaveLength(2);
    await telemetry.end(1_000);
    expect(warnings()).toEqual([]);
  });

  for (const [what, answer] of [
    ["refuses", () => new Response("no", { status: 403 })],
    [
      "answers with a page of a proxy",
      () => new Response("<html>log in</html>", { headers: { "content-type": "text/html" } }),
    ],
    [
      "takes the request but not the spans",
      () => Response.json({ partialSuccess: { rejectedSpans: "4", errorMessage: "too old" } }),
    ],
  ] as const) {
    test(`that ${what} is told once, the spans are counted as lost, and a later batch arrives`, async () => {
      const collector = collect();
      collector.answer = answer;
      const { telemetry, registry, lines, emit, warnings } = open({
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.url}/v1/traces`,
        OTEL_BSP_SCHEDULE_DELAY: "1",
      });
      for (let round = 1; round <= 3; round++) {
        emit(4);
        await until(() => registry.text().includes(`runner_telemetry_dropped_total{signal="traces"} ${round * 4}`));
      }
      expect(warnings()).toHaveLength(1);
      expect(warnings()[0]).toContain(collector.url);
      collector.answer = null;
      emit(1);
      await until(() => lines.some((line) => line.includes("reach the collector again")));
      expect(collector.spans).toHaveLength(1);
      await telemetry.end(1_000);
    });
  }

  test("that is away costs a bounded queue and a bounded end, never the work", async () => {
    const { telemetry, registry, emit, warnings } = open({
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9",
      OTEL_METRICS_EXPORTER: "none",
      OTEL_BSP_MAX_QUEUE_SIZE: "10",
      OTEL_BSP_MAX_EXPORT_BATCH_SIZE: "5",
    });
    emit(1_000);
    await telemetry.end(50);
    expect(registry.text()).toContain('runner_telemetry_dropped_total{signal="traces"} 1000\n');
    expect(warnings()).toHaveLength(1);
  });

  test("that never answers does not hold up the end", async () => {
    const collector = collect();
    collector.answer = () => new Promise<Response>(() => {});
    const { telemetry, registry, emit } = open({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
    emit(3);
    await telemetry.end(50);
    expect(registry.text()).toContain('{signal="traces"} 3\n');
  });
});

describe("the standard variables", () => {
  test("choose what is recorded: a sampler by ratio keeps about that share, always_off nothing", () => {
    const samples = (env: Record<string, string>) => {
      const { telemetry } = open({
        OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9",
        OTEL_METRICS_EXPORTER: "none",
        ...env,
      });
      const ids = Array.from({ length: 1_000 }, (_, n) => traceIdOf(`job${n}`));
      return ids.filter((id) => telemetry.tracer?.samples(id, null)).length;
    };
    expect(samples({})).toBe(1_000);
    expect(samples({ OTEL_TRACES_SAMPLER: "always_off" })).toBe(0);
    const quarter = samples({ OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.25" });
    expect(quarter).toBeGreaterThan(180);
    expect(quarter).toBeLessThan(320);
  });

  test("that cannot be obeyed are told and stop nothing", async () => {
    const { telemetry, warnings } = open({
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9",
      OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
      OTEL_TRACES_SAMPLER: "sometimes",
      OTEL_BSP_SCHEDULE_DELAY: "soon",
    });
    expect(telemetry.tracer).toBeNull();
    expect(warnings().join("\n")).toMatch(/grpc is not spoken here[\s\S]*sometimes is not known/);
    await telemetry.end(100);
  });
});
