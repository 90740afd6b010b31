import { type Sampler, samplerOf } from "./sampler.ts";

/** Where one signal goes. Headers may hold secrets. */
export interface OtlpTarget {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly encoding: "protobuf" | "json";
  /** Longest one request may take, ms. */
  readonly timeoutMs: number;
  readonly gzip: boolean;
  /** Paths of PEM files; null: the system's authorities, no client certificate. */
  readonly caFile: string | null;
  readonly certFile: string | null;
  readonly keyFile: string | null;
}

export interface OtelSettings {
  readonly serviceName: string | null;
  readonly resource: Readonly<Record<string, string>>;
  /** null: not wanted. */
  readonly traces: OtlpTarget | null;
  readonly metrics: OtlpTarget | null;
  /** OTEL_METRICS_EXPORTER names otlp: pushed whatever the control plane's settings say. */
  readonly metricsAsked: boolean;
  readonly sampler: Sampler;
  readonly batch: {
    readonly delayMs: number;
    readonly queue: number;
    readonly size: number;
    /** A batch that cannot be delivered for this long is dropped. */
    readonly timeoutMs: number;
  };
  readonly metricsIntervalMs: number;
  readonly metricsTimeoutMs: number;
  /** What cannot be obeyed, as sentences; telemetry never stops work. */
  readonly warnings: readonly string[];
}

type Env = Readonly<Record<string, string | undefined>>;
type Signal = "TRACES" | "METRICS";

/** The standard variables of OpenTelemetry, as far as OTLP over HTTP needs them. Unreadable ones count as not set. */
export function otelSettings(env: Env): OtelSettings {
  const warnings: string[] = [];
  const warn = (text: string) => void warnings.push(text);
  const count = (name: string, preset: number, least = 0): number => {
    const text = env[name]?.trim();
    if (!text) return preset;
    const value = Number(text);
    if (Number.isInteger(value) && value >= least) return value;
    warn(`${name} must be a whole number of at least ${least}; ${preset} is used`);
    return preset;
  };
  const queue = count("OTEL_BSP_MAX_QUEUE_SIZE", 2_048, 1);
  return {
    serviceName: env.OTEL_SERVICE_NAME?.trim() || null,
    resource: pairs(env.OTEL_RESOURCE_ATTRIBUTES, () => warn("OTEL_RESOURCE_ATTRIBUTES is not key=value,…: ignored")),
    traces: targetOf("TRACES", env, warn),
    metrics: targetOf("METRICS", env, warn),
    metricsAsked: env.OTEL_METRICS_EXPORTER?.trim() === "otlp",
    sampler: samplerOf(env.OTEL_TRACES_SAMPLER, env.OTEL_TRACES_SAMPLER_ARG, warn),
    batch: {
      delayMs: count("OTEL_BSP_SCHEDULE_DELAY", 5_000),
      queue,
      size: Math.min(queue, count("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512, 1)),
      timeoutMs: count("OTEL_BSP_EXPORT_TIMEOUT", 30_000, 1),
    },
    metricsIntervalMs: count("OTEL_METRIC_EXPORT_INTERVAL", 60_000, 1),
    metricsTimeoutMs: count("OTEL_METRIC_EXPORT_TIMEOUT", 30_000, 1),
    warnings,
  };
}

function targetOf(signal: Signal, env: Env, warn: (text: string) => void): OtlpTarget | null {
  const exporter = env[`OTEL_${signal}_EXPORTER`]?.trim() || "otlp";
  if (exporter === "none") return null;
  if (exporter !== "otlp") {
    warn(`OTEL_${signal}_EXPORTER=${exporter} is not spoken here, only otlp and none: it is off`);
    return null;
  }
  const own = (name: string) => env[`OTEL_EXPORTER_OTLP_${signal}_${name}`]?.trim() || null;
  const given = (name: string) => own(name) ?? (env[`OTEL_EXPORTER_OTLP_${name}`]?.trim() || null);
  const url = urlOf(signal, env, own("ENDPOINT"), warn);
  const encoding = encodingOf(signal, given("PROTOCOL"), warn);
  if (url === null || encoding === null) return null;
  const timeout = Number(given("TIMEOUT") ?? 10_000);
  const compression = given("COMPRESSION") ?? "none";
  if (!(timeout > 0)) warn("OTEL_EXPORTER_OTLP_TIMEOUT must be milliseconds; 10000 is used");
  if (compression !== "gzip" && compression !== "none")
    warn(`OTEL_EXPORTER_OTLP_COMPRESSION=${compression} is not known, only gzip and none: none is used`);
  return {
    url,
    encoding,
    headers: pairs(given("HEADERS") ?? undefined, () => warn("OTEL_EXPORTER_OTLP_HEADERS is not key=value,…: ignored")),
    timeoutMs: timeout > 0 ? timeout : 10_000,
    gzip: compression === "gzip",
    caFile: given("CERTIFICATE"),
    certFile: given("CLIENT_CERTIFICATE"),
    keyFile: given("CLIENT_KEY"),
  };
}

function urlOf(signal: Signal, env: Env, own: string | null, warn: (text: string) => void): string | null {
  const base = env.OTEL_EXPORTER_OTLP_ENDPOINT?.trim() || null;
  const asked = env[`OTEL_${signal}_EXPORTER`]?.trim() === "otlp";
  // Without an endpoint nothing was asked for, unless the exporter was named: then it is the standard's default.
  const general = base ?? (asked ? "http://localhost:4318" : null);
  const text = own ?? (general && `${general.replace(/\/+$/, "")}/v1/${signal.toLowerCase()}`);
  if (text === null) return null;
  if (/^https?:$/.test(URL.parse(text)?.protocol ?? "")) return text;
  warn(`the OTLP endpoint for ${signal.toLowerCase()} is no http(s) address: it is off`);
  return null;
}

function encodingOf(signal: Signal, text: string | null, warn: (text: string) => void): OtlpTarget["encoding"] | null {
  if (text === null || text === "http/protobuf") return "protobuf";
  if (text === "http/json") return "json";
  warn(
    `OTEL_EXPORTER_OTLP_PROTOCOL=${text} is not spoken here, only http/protobuf and http/json: ${signal.toLowerCase()} are off`,
  );
  return null;
}

/** `key=value,key2=value2`, percent-encoded. A text that is malformed counts as not set as a whole. */
function pairs(text: string | undefined, malformed: () => void): Record<string, string> {
  const found: [string, string][] = [];
  for (const part of (text ?? "").split(",")) {
    if (part.trim() === "") continue;
    const at = part.indexOf("=");
    const key = decoded(part.slice(0, Math.max(at, 0)));
    const value = decoded(part.slice(at + 1));
    if (!key || value === null) {
      malformed();
      return {};
    }
    found.push([key, value]);
  }
  return Object.fromEntries(found);
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text.trim());
  } catch {
    return null;
  }
}
