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

/** Encodes values that are neither a text nor a small number: the bytes of their `AnyValue`. */
type Other = (value: SpanValue) => Uint8Array;

/**
 * `repeated Span spans = 2` in protobuf, ready to stand in its `ScopeSpans`. Not by the writer that all else is encoded
 * with: a job's spans are worth a few hundred bytes in many short fields, and a native call, a closure or a bigint for
 * each would cost more than all of its bytes in plain loops.
 */
export function spanBytes(spans: readonly FinishedSpan[], other: Other): Uint8Array<ArrayBuffer> {
  const out: Out = { bytes: Buffer.allocUnsafe(spans.length * USUAL_BYTES), at: 0 };
  for (const span of spans) writeSpan(out, span, other);
  return out.bytes.subarray(0, out.at);
}

interface Out {
  bytes: Buffer<ArrayBuffer>;
  at: number;
}

const USUAL_BYTES = 320;
/** Ids, kind and times, with their tags and lengths. */
const FIXED_BYTES = 64;
/** A tag and the longest length. */
const HEAD_BYTES = 6;

/** Field numbers and wire types, as the byte they begin with. */
const TAG = {
  spans: 0x12,
  traceId: 0x0a,
  spanId: 0x12,
  parentId: 0x22,
  name: 0x2a,
  kind: 0x30,
  start: 0x39,
  end: 0x41,
  attribute: 0x4a,
  status: 0x7a,
  key: 0x0a,
  value: 0x12,
  text: 0x0a,
  int: 0x18,
  message: 0x12,
  code: 0x18,
} as const;

function writeSpan(out: Out, span: FinishedSpan, other: Other): void {
  const { parentId, error, attributes } = span;
  const start = open(out, TAG.spans);
  room(out, FIXED_BYTES);
  id(out, TAG.traceId, span.traceId);
  id(out, TAG.spanId, span.spanId);
  if (parentId !== null) id(out, TAG.parentId, parentId);
  small(out, TAG.kind, KIND[span.kind]);
  time(out, TAG.start, span.startMs);
  time(out, TAG.end, Math.max(span.startMs, span.endMs));
  text(out, TAG.name, span.name);
  for (const key in attributes) {
    const value = attributes[key];
    if (value != null) attribute(out, key, value, other);
  }
  if (error !== null) {
    const status = open(out, TAG.status);
    text(out, TAG.message, error);
    small(out, TAG.code, STATUS_ERROR);
    close(out, status);
  }
  close(out, start);
}

function attribute(out: Out, key: string, value: SpanValue, other: Other): void {
  const pair = open(out, TAG.attribute);
  text(out, TAG.key, key);
  const inner = open(out, TAG.value);
  if (typeof value === "string") text(out, TAG.text, value);
  else if (typeof value === "number" && value >= 0 && value < 0x80 && Number.isInteger(value))
    small(out, TAG.int, value);
  else append(out, other(value));
  close(out, inner);
  close(out, pair);
}

/** Begins a message; answers where, for `close`. */
function open(out: Out, tag: number): number {
  room(out, 2);
  out.bytes[out.at] = tag;
  out.at += 2;
  return out.at;
}

/** One byte is kept for the length, which fits most; the message is moved where it turns out longer. */
function close(out: Out, start: number): void {
  const length = out.at - start;
  if (length < 0x80) {
    out.bytes[start - 1] = length;
    return;
  }
  let more = 0;
  for (let rest = length; rest > 0x7f; rest >>>= 7) more++;
  room(out, more);
  out.bytes.copyWithin(start + more, start, out.at);
  varint(out.bytes, start - 1, length);
  out.at += more;
}

/** A text with its tag and length. */
function text(out: Out, tag: number, value: string): void {
  const { length } = value;
  room(out, length + HEAD_BYTES);
  const { bytes } = out;
  let { at } = out;
  bytes[at++] = tag;
  at = varint(bytes, at, length);
  for (let n = 0; n < length; n++) {
    const code = value.charCodeAt(n);
    if (code > 0x7f) {
      // Not one byte each.
      const encoded = Buffer.from(value);
      room(out, encoded.length + HEAD_BYTES);
      out.bytes[out.at] = tag;
      out.at = varint(out.bytes, out.at + 1, encoded.length);
      append(out, encoded);
      return;
    }
    bytes[at++] = code;
  }
  out.at = at;
}

function append(out: Out, value: Uint8Array): void {
  room(out, value.length);
  out.bytes.set(value, out.at);
  out.at += value.length;
}

/** An enum or a small count. */
function small(out: Out, tag: number, value: number): void {
  room(out, 2);
  out.bytes[out.at++] = tag;
  out.bytes[out.at++] = value;
}

/** Answers where the next byte stands. */
function varint(bytes: Uint8Array, at: number, value: number): number {
  let next = at;
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes[next++] = (rest & 0x7f) | 0x80;
  bytes[next++] = rest;
  return next;
}

/** Values of hex digits by their code. */
const DIGITS = Uint8Array.from({ length: 0x80 }, (_, code) => Number.parseInt(String.fromCharCode(code), 16) || 0);

function id(out: Out, tag: number, hex: string): void {
  const { bytes } = out;
  const { length } = hex;
  let { at } = out;
  bytes[at++] = tag;
  bytes[at++] = length >> 1;
  for (let n = 0; n < length; n += 2)
    bytes[at++] = ((DIGITS[hex.charCodeAt(n)] ?? 0) << 4) | (DIGITS[hex.charCodeAt(n + 1)] ?? 0);
  out.at = at;
}

const TWO_32 = 2 ** 32;

/** `nanos` of `ms`: the lower half is exact by remainders, and so is the upper one by rounding. */
function time(out: Out, tag: number, ms: number): void {
  const us = Math.round(ms * 1_000);
  const low = ((us % TWO_32) * 1_000) % TWO_32;
  out.bytes[out.at++] = tag;
  fixed32(out, low);
  fixed32(out, Math.round((us * 1_000 - low) / TWO_32));
}

function fixed32(out: Out, value: number): void {
  const { bytes, at } = out;
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
  out.at = at + 4;
}

function room(out: Out, more: number): void {
  if (out.at + more <= out.bytes.length) return;
  const larger = Buffer.allocUnsafe(Math.max(out.bytes.length * 2, out.at + more));
  out.bytes.copy(larger, 0, 0, out.at);
  out.bytes = larger;
}
