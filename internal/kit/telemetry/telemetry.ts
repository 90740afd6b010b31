import { hostname } from "node:os";
import { reasonOf } from "../../protocol/errors.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import type { SystemLog } from "../base/system-log.ts";
import type { Fetch } from "../http/http.ts";
import { createLink } from "./collector-link.ts";
import type { Family, Registry } from "./metrics.ts";
import { type OtelSettings, type OtlpTarget, otelSettings } from "./otel-settings.ts";
import { encodeMetrics, encodeTraces, type Sender } from "./otlp-messages.ts";
import { createSender, type OtlpSender } from "./otlp-sender.ts";
import { createSpanQueue, type SpanQueue } from "./span-queue.ts";
import type { Tracer } from "./tracer.ts";

/** Traces and metrics of one process, on their way to a collector. */
export interface Telemetry {
  /** null: traces are not wanted. */
  readonly tracer: Tracer | null;
  /** From now on the metrics of `registry` are pushed, as long as `wanted` says so. Does nothing where none are wanted. */
  push(registry: Registry, wanted?: () => boolean): void;
  /** Sends what waits; gives up after `ms`. */
  end(ms: number): Promise<void>;
}

export interface TelemetryOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `service.name`, unless the environment names one. */
  readonly service: string;
  readonly version: string;
  /** What the resource says beside name, version and host. */
  readonly resource: Readonly<Record<string, string>>;
  readonly log: SystemLog;
  readonly clock?: Clock;
  readonly fetch?: Fetch;
}

/**
 * An exporter of our own instead of the OpenTelemetry SDK: that one adds 22 MiB to a process of 25, keeps a registry
 * of its own beside ours, and makes its ids by chance. Loaded only when the standard variables ask for it.
 */
export function openTelemetry(options: TelemetryOptions): Telemetry {
  const { log, clock = systemClock } = options;
  const settings = otelSettings(options.env);
  for (const warning of settings.warnings) log.warn(warning);
  const sender: Sender = { resource: resourceOf(options, settings), version: options.version };
  const lost = { traces: 0, metrics: 0 };
  const linkTo = (what: "traces" | "metrics", target: OtlpTarget | null) => {
    const to = target === null ? null : senderTo(what, target, options);
    const count = (items: number) => {
      lost[what] += items;
    };
    return to && target && { link: createLink(what, to, { log, lost: count }), ...target };
  };
  const traces = linkTo("traces", settings.traces);
  const metrics = linkTo("metrics", settings.metrics);
  const queue: SpanQueue | null =
    traces &&
    createSpanQueue({
      batch: settings.batch,
      link: traces.link,
      encode: (spans) => encodeTraces(traces.encoding, spans, sender),
      clock,
    });
  const registries: { readonly registry: Registry; readonly wanted: () => boolean }[] = [];
  const startMs = clock.now();
  const going = new AbortController();

  let saidOff = false;
  const pushAll = async (withinMs: number, signal: AbortSignal): Promise<void> => {
    if (metrics === null) return;
    const all = wantedFamilies(registries);
    if (all.length === 0) {
      if (!saidOff) log.info("no metrics are pushed: the control plane's settings switch them off");
      saidOff = true;
      return;
    }
    saidOff = false;
    const body = encodeMetrics(metrics.encoding, all, { startMs, nowMs: clock.now() }, sender);
    await metrics.link.deliver(
      body,
      all.reduce((sum, { points }) => sum + points.length, 0),
      withinMs,
      signal,
    );
  };
  const keepPushing = async (): Promise<void> => {
    while (!going.signal.aborted) {
      await clock.sleep(settings.metricsIntervalMs, going.signal);
      if (!going.signal.aborted) await pushAll(settings.metricsTimeoutMs, going.signal);
    }
  };
  let pushing: Promise<void> | null = null;

  return {
    tracer: queue && { emit: queue.add, samples: settings.sampler },
    push(registry, wanted = () => true) {
      registry.counted("runner_telemetry_dropped_total", "Spans and metric points that no collector took.", () =>
        Object.entries(lost).map(([signal, n]) => [{ signal }, n] as const),
      );
      registries.push({ registry, wanted: settings.metricsAsked ? () => true : wanted });
      if (metrics !== null) pushing ??= keepPushing();
    },
    async end(ms) {
      going.abort();
      const last = pushing?.then(() => pushAll(ms, AbortSignal.timeout(ms)));
      await Promise.all([queue?.end(ms), last]);
    },
  };
}

/** Both halves in one process tell of the process once. */
function wantedFamilies(registries: readonly { readonly registry: Registry; readonly wanted: () => boolean }[]) {
  const byName = new Map<string, Family>();
  for (const { registry, wanted } of registries) {
    if (!wanted()) continue;
    for (const family of registry.read()) if (!byName.has(family.name)) byName.set(family.name, family);
  }
  return [...byName.values()];
}

function senderTo(
  what: string,
  target: OtlpTarget,
  { log, fetch, clock = systemClock }: TelemetryOptions,
): OtlpSender | null {
  try {
    return createSender(target, { clock, ...(fetch === undefined ? {} : { fetch }) });
  } catch (cause) {
    log.warn(`a certificate file of the OTLP exporter cannot be read: ${what} are off`, { reason: reasonOf(cause) });
    return null;
  }
}

function resourceOf(options: TelemetryOptions, settings: OtelSettings): Record<string, string | number> {
  return {
    "service.version": options.version,
    "host.name": hostname(),
    "process.pid": process.pid,
    "telemetry.sdk.name": "runner",
    "telemetry.sdk.language": "nodejs",
    ...options.resource,
    ...settings.resource,
    "service.name": settings.serviceName ?? settings.resource["service.name"] ?? options.service,
  };
}
