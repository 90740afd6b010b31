import { fail, ok, type Result, RunnerError } from "./errors.ts";
import { createProtoWriter, type ProtoWriter, readFields } from "./protobuf.ts";

/**
 * The OTLP log export request (protobuf), as far as job logs need it (nuon-runner-api.md 8.3): one resource, one scope,
 * records in order. Decoding takes what any exporter sends; unknown fields are skipped.
 */
export type Severity = "debug" | "info" | "warn" | "error";
export const SEVERITY_NUMBER: Readonly<Record<Severity, number>> = { debug: 5, info: 9, warn: 13, error: 17 };

/** Integers beyond 2^53 are bigint. A whole number is written as an int, any other as a double. */
export type AttributeValue =
  | string
  | number
  | bigint
  | boolean
  | Uint8Array
  | null
  | readonly AttributeValue[]
  | { readonly [key: string]: AttributeValue };
export type Attributes = Readonly<Record<string, AttributeValue>>;

export interface OtlpRecord {
  /** Nanoseconds since the epoch. */
  readonly time: bigint;
  /** Default: `time`. */
  readonly observed?: bigint;
  readonly severity: Severity;
  readonly body: AttributeValue;
  readonly attributes: Attributes;
  /** Hex. */
  readonly span?: { readonly traceId: string; readonly spanId: string };
}

export interface OtlpLogs {
  readonly resource: Attributes;
  readonly schemaUrl: string;
  readonly scope: string;
  readonly records: readonly OtlpRecord[];
}

export interface DecodedRecord extends OtlpRecord {
  readonly observed: bigint;
  /** As sent; `severity` is the level it belongs to. */
  readonly severityNumber: number;
  readonly severityText: string;
}
export interface DecodedLogs extends OtlpLogs {
  readonly records: readonly DecodedRecord[];
}

export function encodeLogsRequest(logs: OtlpLogs): Uint8Array {
  const out = createProtoWriter();
  out.message(1, () => {
    out.message(1, () => writeAttributes(out, 1, logs.resource));
    out.message(2, () => {
      out.message(1, () => out.text(1, logs.scope));
      for (const record of logs.records) out.message(2, () => writeRecord(out, record));
    });
    if (logs.schemaUrl !== "") out.text(3, logs.schemaUrl);
  });
  return out.finish();
}

function writeRecord(out: ProtoWriter, record: OtlpRecord): void {
  out.fixed64(1, record.time);
  out.varint(2, SEVERITY_NUMBER[record.severity]);
  out.text(3, record.severity);
  out.message(5, () => writeValue(out, record.body));
  writeAttributes(out, 6, record.attributes);
  if (record.span) {
    out.hex(9, record.span.traceId);
    out.hex(10, record.span.spanId);
  }
  out.fixed64(11, record.observed ?? record.time);
}

function writeAttributes(out: ProtoWriter, field: number, attributes: Attributes): void {
  for (const key of Object.keys(attributes)) {
    const value = attributes[key] ?? null;
    if (typeof value === "string") out.pair(field, key, value);
    else
      out.message(field, () => {
        out.text(1, key);
        out.message(2, () => writeValue(out, value));
      });
  }
}

function writeValue(out: ProtoWriter, value: AttributeValue): void {
  if (typeof value === "string") out.text(1, value);
  else if (typeof value === "boolean") out.varint(2, value ? 1 : 0);
  else if (typeof value === "bigint") out.varint(3, value);
  else if (typeof value === "number") Number.isSafeInteger(value) ? out.varint(3, value) : out.double(4, value);
  else if (value instanceof Uint8Array) out.bytes(7, value);
  else if (isList(value)) out.message(5, () => value.map((item) => out.message(1, () => writeValue(out, item))));
  else if (value !== null) out.message(6, () => writeAttributes(out, 1, value));
}

/** `Array.isArray` does not narrow a readonly array away. */
function isList(value: AttributeValue): value is readonly AttributeValue[] {
  return Array.isArray(value);
}

/** A body of records of no bytes could make millions of objects. */
const MAX_RECORDS = 100_000;
const MAX_DEPTH = 16;

/** One entry per resource and scope, in order. The error (kind protocol) says where the body is malformed. */
export function decodeLogsRequest(body: Uint8Array): Result<DecodedLogs[]> {
  const groups: DecodedLogs[] = [];
  const budget = { records: MAX_RECORDS };
  try {
    readFields(body, (field, value) => {
      if (field === 1 && value instanceof Uint8Array) groups.push(...readResourceLogs(value, budget));
    });
    return ok(groups);
  } catch (cause) {
    if (cause instanceof RunnerError) return fail(cause);
    throw cause;
  }
}

interface Budget {
  records: number;
}

function readResourceLogs(bytes: Uint8Array, budget: Budget): DecodedLogs[] {
  const resource: Record<string, AttributeValue> = {};
  const scopes: { scope: string; records: DecodedRecord[] }[] = [];
  let schemaUrl = "";
  readFields(bytes, (field, value) => {
    if (!(value instanceof Uint8Array)) return;
    if (field === 1) readFields(value, (inner, pair) => inner === 1 && readPair(pair, resource, 0));
    else if (field === 2) scopes.push(readScopeLogs(value, budget));
    else if (field === 3) schemaUrl = text(value);
  });
  return scopes.map((scope) => ({ resource, schemaUrl, ...scope }));
}

function readScopeLogs(bytes: Uint8Array, budget: Budget): { scope: string; records: DecodedRecord[] } {
  const records: DecodedRecord[] = [];
  let scope = "";
  readFields(bytes, (field, value) => {
    if (!(value instanceof Uint8Array)) return;
    if (field === 1) {
      readFields(value, (inner, name) => {
        if (inner === 1 && name instanceof Uint8Array) scope = text(name);
      });
    } else if (field === 2) {
      if (budget.records-- <= 0)
        throw new RunnerError("protocol", `more than ${MAX_RECORDS} log records in one request`);
      records.push(readRecord(value));
    }
  });
  return { scope, records };
}

function readRecord(bytes: Uint8Array): DecodedRecord {
  const attributes: Record<string, AttributeValue> = {};
  let time = 0n;
  let observed = 0n;
  let severityNumber = 0;
  let severityText = "";
  let body: AttributeValue = "";
  const span = { traceId: "", spanId: "" };
  readFields(bytes, (field, value) => {
    if (field === 1 && typeof value === "bigint") time = value;
    else if (field === 2 && typeof value === "bigint") severityNumber = Number(BigInt.asIntN(32, value));
    else if (field === 11 && typeof value === "bigint") observed = value;
    else if (!(value instanceof Uint8Array)) return;
    else if (field === 3) severityText = text(value);
    else if (field === 5) body = readValue(value, 0);
    else if (field === 6) readPair(value, attributes, 0);
    else if (field === 9) span.traceId = Buffer.from(value).toString("hex");
    else if (field === 10) span.spanId = Buffer.from(value).toString("hex");
  });
  const severity = levelOf(severityNumber);
  const record = { time, observed, severityNumber, severityText, severity, body, attributes };
  return span.traceId === "" ? record : { ...record, span };
}

/** OTLP has four numbers per level; 1–4 (trace) count as debug, none as info, 21 and more (fatal, panic) as error. */
function levelOf(number: number): Severity {
  if (number <= 0) return "info";
  return number < 9 ? "debug" : number < 13 ? "info" : number < 17 ? "warn" : "error";
}

function readPair(bytes: unknown, into: Record<string, AttributeValue>, depth: number): void {
  if (!(bytes instanceof Uint8Array)) return;
  let key = "";
  let result: AttributeValue = null;
  readFields(bytes, (field, value) => {
    if (!(value instanceof Uint8Array)) return;
    if (field === 1) key = text(value);
    else if (field === 2) result = readValue(value, depth + 1);
  });
  // Not by assignment: `__proto__` is a key like any other.
  Object.defineProperty(into, key, { value: result, enumerable: true, configurable: true, writable: true });
}

function readValue(bytes: Uint8Array, depth: number): AttributeValue {
  if (depth > MAX_DEPTH) throw new RunnerError("protocol", `log attributes are nested deeper than ${MAX_DEPTH} levels`);
  let result: AttributeValue = null;
  readFields(bytes, (field, value, wire) => {
    if (value instanceof Uint8Array) {
      if (field === 1) result = text(value);
      else if (field === 5) result = readList(value, depth);
      else if (field === 6) result = readMap(value, depth);
      else if (field === 7) result = value.slice();
    } else if (field === 2) result = value !== 0n;
    else if (field === 3) result = integer(value);
    else if (field === 4 && wire === 1) result = asDouble(value);
  });
  return result;
}

function readList(bytes: Uint8Array, depth: number): AttributeValue[] {
  const list: AttributeValue[] = [];
  readFields(bytes, (field, value) => {
    if (field === 1 && value instanceof Uint8Array) list.push(readValue(value, depth + 1));
  });
  return list;
}

function readMap(bytes: Uint8Array, depth: number): Attributes {
  const map: Record<string, AttributeValue> = {};
  readFields(bytes, (field, value) => field === 1 && readPair(value, map, depth));
  return map;
}

function integer(value: bigint): number | bigint {
  const signed = BigInt.asIntN(64, value);
  const small = Number(signed);
  return Number.isSafeInteger(small) ? small : signed;
}

function asDouble(bits: bigint): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

function text(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}
