import { createProtoWriter } from "../../protocol/protobuf.ts";
import { spanBytes } from "./span-bytes.ts";
import type { FinishedSpan, SpanValue } from "./tracer.ts";

/**
 * One description of an OTLP message, two encodings: every field has its protobuf number and its JSON name. JSON is
 * OTLP's own dialect: ids as hex, 64 bit integers as strings.
 */
export interface OtlpOut {
  text(field: number, name: string, value: string): void;
  /** Ids; hex. */
  id(field: number, name: string, hex: string): void;
  flag(field: number, name: string, value: boolean): void;
  /** Enums and small counts. */
  small(field: number, name: string, value: number): void;
  /** int64. */
  int(field: number, name: string, value: number | bigint): void;
  fixed(field: number, name: string, value: bigint): void;
  double(field: number, name: string, value: number): void;
  /** Packed. */
  fixedList(field: number, name: string, values: readonly bigint[]): void;
  doubleList(field: number, name: string, values: readonly number[]): void;
  /** A list of `KeyValue`; null and undefined are left out. */
  attributes(field: number, values: OtlpAttributes): void;
  /** `fill` writes one that is not encoded in a way of its own. */
  spans(field: 2, spans: readonly FinishedSpan[], fill: (out: OtlpOut, span: FinishedSpan) => void): void;
  message(field: number, name: string, fill: (out: OtlpOut) => void): void;
  /** Once per item. */
  each<T>(field: number, name: string, items: Iterable<T>, fill: (out: OtlpOut, item: T) => void): void;
}

type OtlpAttributes = Readonly<Record<string, SpanValue | null | undefined>>;

export type Encoding = "protobuf" | "json";

/** The bytes of the message that `fill` describes. */
export function encodeOtlp(encoding: Encoding, fill: (out: OtlpOut) => void): Uint8Array {
  if (encoding === "json") {
    const object: Record<string, unknown> = {};
    fill(jsonOut(object));
    return Buffer.from(JSON.stringify(object));
  }
  const writer = createProtoWriter();
  const out: OtlpOut = {
    text: (field, _, value) => writer.text(field, value),
    id: (field, _, hex) => writer.hex(field, hex),
    flag: (field, _, value) => writer.varint(field, value ? 1 : 0),
    small: (field, _, value) => writer.varint(field, value),
    int: (field, _, value) => writer.varint(field, value),
    fixed: (field, _, value) => writer.fixed64(field, value),
    double: (field, _, value) => writer.double(field, value),
    fixedList: (field, _, values) =>
      writer.bytes(
        field,
        packed(values, (view, at, one) => view.setBigUint64(at, one, true)),
      ),
    doubleList: (field, _, values) =>
      writer.bytes(
        field,
        packed(values, (view, at, one) => view.setFloat64(at, one, true)),
      ),
    attributes(field, values) {
      for (const key in values) {
        const value = values[key];
        // Nearly all of them are texts.
        if (typeof value === "string") writer.pair(field, key, value);
        else if (value != null) writer.message(field, () => writePair(out, key, value));
      }
    },
    spans: (_, spans) => writer.raw(spanBytes(spans, valueBytes)),
    message: (field, _, inner) => writer.message(field, () => inner(out)),
    each: (field, _, items, inner) => {
      for (const item of items) writer.message(field, () => inner(out, item));
    },
  };
  fill(out);
  return writer.finish();
}

function packed<T>(values: readonly T[], put: (view: DataView, at: number, value: T) => void): Uint8Array {
  const bytes = new Uint8Array(values.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [n, value] of values.entries()) put(view, n * 8, value);
  return bytes;
}

function jsonOut(object: Record<string, unknown>): OtlpOut {
  const put = (name: string, value: unknown) => {
    object[name] = value;
  };
  const inner = (fill: (out: OtlpOut) => void) => {
    const child: Record<string, unknown> = {};
    fill(jsonOut(child));
    return child;
  };
  const each: OtlpOut["each"] = (_, name, items, fill) =>
    put(
      name,
      Array.from(items, (item) => inner((out) => fill(out, item))),
    );
  return {
    text: (_, name, value) => put(name, value),
    id: (_, name, hex) => put(name, hex),
    flag: (_, name, value) => put(name, value),
    small: (_, name, value) => put(name, value),
    int: (_, name, value) => put(name, String(value)),
    fixed: (_, name, value) => put(name, String(value)),
    double: (_, name, value) => put(name, value),
    fixedList: (_, name, values) => put(name, values.map(String)),
    doubleList: (_, name, values) => put(name, values),
    attributes: (_, values) =>
      put(
        "attributes",
        Object.entries(values).flatMap(([key, value]) =>
          value == null ? [] : [inner((out) => writePair(out, key, value))],
        ),
      ),
    message: (_, name, fill) => put(name, inner(fill)),
    each,
    spans: (field, spans, fill) => each(field, "spans", spans, fill),
  };
}

const valueBytes = (value: SpanValue) => encodeOtlp("protobuf", (out) => writeValue(out, value));

function writePair(out: OtlpOut, key: string, value: SpanValue): void {
  out.text(1, "key", key);
  out.message(2, "value", (inner) => writeValue(inner, value));
}

function writeValue(out: OtlpOut, value: SpanValue): void {
  if (typeof value === "string") out.text(1, "stringValue", value);
  else if (typeof value === "boolean") out.flag(2, "boolValue", value);
  else if (typeof value !== "number")
    out.message(5, "arrayValue", (list) =>
      list.each(1, "values", value, (item, text) => item.text(1, "stringValue", text)),
    );
  else if (Number.isSafeInteger(value)) out.int(3, "intValue", value);
  else out.double(4, "doubleValue", value);
}
