import type { GoTransport } from "./http.ts";

/** One log record of a job, as otelzap hands it over. */
export interface GoRecord {
  readonly time: bigint;
  readonly severity: "debug" | "info" | "warn" | "error";
  readonly body: string;
  readonly attributes: Readonly<Record<string, string>>;
}

const NUMBER = { debug: 5, info: 9, warn: 13, error: 17 } as const;

/** ExportLogsServiceRequest with Go's field order, written apart from the encoder of the product. */
export function encodeExport(
  records: readonly GoRecord[],
  resource: Readonly<Record<string, string>>,
  schemaUrl: string,
): Uint8Array {
  const attributes = (field: number, map: Readonly<Record<string, string>>) =>
    Object.entries(map).map(([key, value]) => message(field, text(1, key), message(2, text(1, value))));
  const logs = records.map((record) =>
    message(
      2,
      fixed64(1, record.time),
      varint(2, NUMBER[record.severity]),
      text(3, record.severity),
      message(5, text(1, record.body)),
      ...attributes(6, record.attributes),
      fixed64(11, record.time),
    ),
  );
  const scope = message(2, message(1, text(1, "oteljob")), ...logs, text(3, schemaUrl));
  return message(1, message(1, ...attributes(1, resource)), scope, text(3, schemaUrl));
}

function length(value: number): number[] {
  const bytes: number[] = [];
  for (let left = value; ; left = Math.floor(left / 128)) {
    if (left < 128) return [...bytes, left];
    bytes.push((left % 128) | 0x80);
  }
}

function bytes(field: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(field << 3) | 2, ...length(content.length)]), content]);
}
const message = (field: number, ...parts: readonly Buffer[]) => bytes(field, Buffer.concat(parts));
const text = (field: number, value: string) => bytes(field, Buffer.from(value));
const varint = (field: number, value: number) => Buffer.from([field << 3, ...length(value)]);
function fixed64(field: number, value: bigint): Buffer {
  const buffer = Buffer.alloc(9);
  buffer[0] = (field << 3) | 1;
  buffer.writeBigUInt64LE(value, 1);
  return buffer;
}

export interface Exporter {
  emit(severity: GoRecord["severity"], body: string, attributes?: Readonly<Record<string, string>>): void;
  /** Sends what waits. */
  flush(): Promise<void>;
  /** Status of every export so far. */
  readonly statuses: readonly number[];
}

/** The per-job exporter: batches of at most 25, every 5 s or as soon as 25 wait, no compression (8.2). */
export function jobExporter(
  transport: GoTransport,
  job: {
    readonly url: string;
    readonly token: string;
    readonly streamId: string;
    readonly resource: Readonly<Record<string, string>>;
    readonly attributes: () => Readonly<Record<string, string>>;
  },
): Exporter & { stop(): void } {
  const waiting: GoRecord[] = [];
  const statuses: number[] = [];
  let sending = Promise.resolve();
  const send = async () => {
    while (waiting.length > 0) {
      const batch = waiting.splice(0, 25);
      const answer = await transport
        .send({
          method: "POST",
          path: `/v1/log-streams/${job.streamId}/logs`,
          userAgent: "OTel Go OTLP over HTTP/protobuf logs exporter/0.13.0",
          headers: { Authorization: `Bearer ${job.token}`, "Content-Type": "application/x-protobuf" },
          body: encodeExport(batch, job.resource, job.url),
          timeoutMs: 10_000,
        })
        .catch(() => null);
      statuses.push(answer?.status ?? 0);
    }
  };
  const flush = () => {
    sending = sending.then(send);
    return sending;
  };
  const timer = setInterval(flush, 5_000);
  let last = 0n;
  return {
    statuses,
    flush,
    stop: () => clearInterval(timer),
    emit: (severity, body, attributes = {}) => {
      const now = BigInt(Date.now()) * 1_000_000n;
      last = now > last ? now : last + 1n;
      waiting.push({ time: last, severity, body, attributes: { ...job.attributes(), ...attributes } });
      if (waiting.length >= 25) void flush();
    },
  };
}
