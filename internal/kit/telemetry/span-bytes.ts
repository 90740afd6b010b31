import { HEX } from "./trace-ids.ts";
import type { FinishedSpan, SpanKind, SpanValue } from "./tracer.ts";

export const KIND: Readonly<Record<SpanKind, number>> = {
  internal: 1,
  server: 2,
  client: 3,
  producer: 4,
  consumer: 5,
};
export const STATUS_ERROR = 2;

/** Milliseconds, with fractions, as nanoseconds. */
export const nanos = (ms: number): bigint => BigInt(Math.round(ms * 1_000)) * 1_000n;

/**
 * `repeated Span spans = 2` in protobuf, ready to stand in its `ScopeSpans`. Not by the writer that all else is encoded
 * with: a runner's spans are a few thousand, and long over before loops over their bytes would be compiled. Here a span
 * is a text of bytes (latin1) that the engine joins and copies natively, which costs half. `other`: the bytes of the
 * `AnyValue` of what is neither a text nor a small number.
 */
export function spanBytes(
  spans: readonly FinishedSpan[],
  other: (value: SpanValue) => Uint8Array,
): Uint8Array<ArrayBuffer> {
  let size = 0;
  const parts = spans.map((span) => {
    const rest = restOf(span, other);
    const ids = idsOf(span);
    const length = ids.length / 2 + TIMES + rest.length;
    const head = SPANS + varint(length, HEX) + ids;
    size += head.length / 2 + TIMES + rest.length;
    return { span, head, rest };
  });
  const bytes = Buffer.alloc(size);
  let at = 0;
  for (const { span, head, rest } of parts) {
    at += bytes.write(head, at, "hex");
    bytes[at] = START;
    bytes.writeBigUInt64LE(nanos(span.startMs), at + 1);
    bytes[at + 9] = END;
    bytes.writeBigUInt64LE(nanos(Math.max(span.startMs, span.endMs)), at + 10);
    at += TIMES;
    at += bytes.write(rest, at, "latin1");
  }
  return bytes;
}

/** Field number and wire type, as the byte they begin with; of the spans themselves as hex. */
const SPANS = "12";
const START = 0x39;
const END = 0x41;
const NAME = "\x2a";
const KIND_OF = "\x30";
const ATTRIBUTE = "\x4a";
const STATUS = "\x7a";
/** Bytes of both times with their fields. */
const TIMES = 18;

/** Fields 1, 2 and 4, with their lengths, as hex. */
const idsOf = ({ traceId, spanId, parentId }: FinishedSpan): string =>
  parentId === null ? `0a10${traceId}1208${spanId}` : `0a10${traceId}1208${spanId}2208${parentId}`;

function restOf({ name, kind, attributes, error }: FinishedSpan, other: (value: SpanValue) => Uint8Array): string {
  let rest = NAME + sized(utf8(name)) + KIND_OF + byte(KIND[kind]);
  for (const key in attributes) {
    const value = attributes[key];
    if (value != null) rest += ATTRIBUTE + sized(keyOf(key) + sized(anyValue(value, other)));
  }
  return error === null ? rest : `${rest}${STATUS}${sized(`\x12${sized(utf8(error))}\x18${byte(STATUS_ERROR)}`)}`;
}

/** `AnyValue`. */
function anyValue(value: SpanValue, other: (value: SpanValue) => Uint8Array): string {
  if (typeof value === "string") return `\x0a${sized(utf8(value))}`;
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value < 0x80) return `\x18${byte(value)}`;
  return Buffer.from(other(value)).toString("latin1");
}

/** `KeyValue` up to the length of its value. Keys are names in our source. */
const keys = new Map<string, string>();
function keyOf(key: string): string {
  const known = keys.get(key);
  if (known !== undefined) return known;
  const made = `\x0a${sized(utf8(key))}\x12`;
  keys.set(key, made);
  return made;
}

const BYTES: readonly string[] = Array.from({ length: 256 }, (_, n) => String.fromCharCode(n));
const byte = (n: number): string => BYTES[n] ?? "";

/** With its length before it. */
const sized = (bytes: string): string => varint(bytes.length) + bytes;

function varint(value: number, spelling: readonly string[] = BYTES): string {
  let text = "";
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) text += spelling[(rest % 128) | 0x80];
  return text + spelling[rest];
}

const utf8 = (text: string): string =>
  Buffer.byteLength(text) === text.length ? text : Buffer.from(text).toString("latin1");
