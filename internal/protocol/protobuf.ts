import { RunnerError } from "./errors.ts";

/** The protobuf wire format: fields one after another, each with its number and one of four shapes. */
export interface ProtoWriter {
  varint(field: number, value: number | bigint): void;
  fixed64(field: number, value: bigint): void;
  double(field: number, value: number): void;
  text(field: number, value: string): void;
  /** A nested message as OTLP's key with a text: `{ 1: key, 2: { 1: value } }`. */
  pair(field: number, key: string, value: string): void;
  bytes(field: number, value: Uint8Array): void;
  /** Fields that are encoded already. */
  raw(fields: Uint8Array): void;
  /** Bytes that are given as hex digits. */
  hex(field: number, digits: string): void;
  /** A nested message: what `fill` writes. */
  message(field: number, fill: () => unknown): void;
  /** The bytes, a copy; the writer must not be used any more. */
  finish(): Uint8Array<ArrayBuffer>;
}

const VARINT = 0;
const FIXED64 = 1;
const LENGTH = 2;
const FIXED32 = 5;

/** The buffer of the last writer that finished: a log batch of a MiB would grow a new one nine times over. */
let spare: Buffer<ArrayBuffer> | null = null;
/** Larger ones are left to the collector. */
const MAX_SPARE = 4 * 1024 * 1024;

export function createProtoWriter(): ProtoWriter {
  let buffer = spare ?? Buffer.alloc(4096);
  spare = null;
  let view = viewOf(buffer);
  let at = 0;

  const room = (bytes: number) => {
    if (at + bytes <= buffer.length) return;
    const larger = Buffer.alloc(Math.max(buffer.length * 2, at + bytes));
    larger.set(buffer.subarray(0, at));
    buffer = larger;
    view = viewOf(buffer);
  };
  const number = (value: number) => {
    room(8);
    let rest = value;
    while (rest > 0x7f) {
      buffer[at++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    buffer[at++] = rest;
  };
  const tag = (field: number, wire: number) => number(field * 8 + wire);

  const varint = (field: number, value: number | bigint) => {
    tag(field, VARINT);
    if (typeof value === "number" && value >= 0) return number(value);
    room(10);
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest > 0x7fn) {
      buffer[at++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    buffer[at++] = Number(rest);
  };

  const eight = (field: number, put: () => void) => {
    tag(field, FIXED64);
    room(8);
    put();
    at += 8;
  };

  const message = (field: number, fill: () => unknown) => {
    tag(field, LENGTH);
    const start = at;
    // One byte for the length, which fits most; moved when the message turns out longer.
    number(0);
    fill();
    const length = at - start - 1;
    const extra = lengthBytes(length) - 1;
    if (extra > 0) {
      room(extra);
      buffer.copyWithin(start + 1 + extra, start + 1, at);
    }
    at = start;
    number(length);
    at += length;
  };

  /** `length`: its bytes. Native copies, here and below: spans are few before a loop of ours would be compiled. */
  const put = (value: string, length: number) => {
    room(length);
    buffer.write(value, at);
    at += length;
  };

  const text = (field: number, value: string) => {
    const length = Buffer.byteLength(value);
    tag(field, LENGTH);
    number(length);
    put(value, length);
  };

  const pair = (field: number, key: string, value: string) => {
    const keyLength = Buffer.byteLength(key);
    const valueLength = Buffer.byteLength(value);
    const inner = 1 + lengthBytes(valueLength) + valueLength;
    tag(field, LENGTH);
    number(1 + lengthBytes(keyLength) + keyLength + 1 + lengthBytes(inner) + inner);
    tag(1, LENGTH);
    number(keyLength);
    put(key, keyLength);
    tag(2, LENGTH);
    number(inner);
    tag(1, LENGTH);
    number(valueLength);
    put(value, valueLength);
  };

  const raw = (fields: Uint8Array) => {
    room(fields.length);
    buffer.set(fields, at);
    at += fields.length;
  };

  const bytes = (field: number, value: Uint8Array) => {
    tag(field, LENGTH);
    number(value.length);
    raw(value);
  };

  const hex = (field: number, digits: string) => {
    const length = digits.length >> 1;
    tag(field, LENGTH);
    number(length);
    room(length);
    buffer.write(digits, at, "hex");
    at += length;
  };

  return {
    varint,
    text,
    pair,
    bytes,
    raw,
    hex,
    message,
    fixed64: (field, value) => eight(field, () => view.setBigUint64(at, BigInt.asUintN(64, value), true)),
    double: (field, value) => eight(field, () => view.setFloat64(at, value, true)),
    finish: () => {
      const message = new Uint8Array(buffer.subarray(0, at));
      if (buffer.length <= MAX_SPARE) spare = buffer;
      return message;
    },
  };
}

const viewOf = ({ buffer, byteOffset, byteLength }: Buffer<ArrayBuffer>) =>
  new DataView(buffer, byteOffset, byteLength);

function lengthBytes(length: number): number {
  let bytes = 1;
  for (let rest = length; rest > 0x7f; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

/** A field's value: bigint for numbers (raw bits), a view into the input for everything with a length. */
export type FieldVisitor = (field: number, value: bigint | Uint8Array, wire: number) => unknown;

/** Visit every field; throws RunnerError (protocol) for lengths beyond the input and shapes that do not exist. */
export function readFields(bytes: Uint8Array, visit: FieldVisitor): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const need = (count: number) => {
    if (count > bytes.length - at) throw broken("ends too early");
  };
  const number = (): number => {
    const { value, next } = readVarint(bytes, at);
    at = next;
    return Number(value);
  };
  while (at < bytes.length) {
    const key = number();
    const wire = key % 8;
    const field = Math.floor(key / 8);
    if (field === 0) throw broken("has a field with number 0");
    if (wire === VARINT) {
      const { value, next } = readVarint(bytes, at);
      at = next;
      visit(field, typeof value === "number" ? BigInt(value) : value, wire);
    } else if (wire === FIXED64) {
      need(8);
      at += 8;
      visit(field, view.getBigUint64(at - 8, true), wire);
    } else if (wire === LENGTH) {
      const length = number();
      need(length);
      at += length;
      visit(field, bytes.subarray(at - length, at), wire);
    } else if (wire === FIXED32) {
      need(4);
      at += 4;
      visit(field, BigInt(view.getUint32(at - 4, true)), wire);
    } else throw broken(`has a field of the unknown wire type ${wire}`);
  }
}

function readVarint(bytes: Uint8Array, from: number): { readonly value: number | bigint; readonly next: number } {
  let small = 0;
  for (let at = from, scale = 1; at < bytes.length && at < from + 7; at++, scale *= 128) {
    const byte = bytes[at] ?? 0;
    small += (byte & 0x7f) * scale;
    if (byte < 0x80) return { value: small, next: at + 1 };
  }
  let large = 0n;
  for (let at = from, shift = 0n; at < bytes.length && at < from + 10; at++, shift += 7n) {
    const byte = bytes[at] ?? 0;
    large |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return { value: BigInt.asUintN(64, large), next: at + 1 };
  }
  throw broken(bytes.length - from >= 10 ? "has a number that never ends" : "ends too early");
}

function broken(what: string): RunnerError {
  return new RunnerError("protocol", `the protobuf body ${what}`);
}
