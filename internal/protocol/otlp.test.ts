import { describe, expect, test } from "bun:test";
import { type DecodedLogs, decodeLogsRequest, encodeLogsRequest } from "./otlp.ts";

/** Bodies of log posts by the real Go runner, base64, one a line. */
const GO_BODIES = await Bun.file(new URL("./otlp.fixture.txt", import.meta.url)).text();

function decoded(bytes: Uint8Array): DecodedLogs[] {
  const result = decodeLogsRequest(bytes);
  if (!result.ok) throw result.error;
  return result.value;
}

/** A body as the Go exporter writes it: `observed` beside `time`, a schema URL on the resource. */
const SAMPLE = {
  resource: { "runner.id": "runtestrunner00000000000001", "service.name": "runner" },
  schemaUrl: "http://127.0.0.1:18083",
  scope: "oteljob",
  records: [
    { time: 1_795_000_000_000_000_001n, observed: 5n, severity: "info" as const, body: "hällo\nwörld", attributes: {} },
    {
      time: 2n,
      severity: "error" as const,
      body: "",
      attributes: { text: "x", yes: true, no: false, int: -7, big: 2n ** 60n, half: 0.5, step: "execute" },
    },
  ],
};

describe("log export bodies", () => {
  test("what is encoded is decoded again, every kind of attribute included", () => {
    const [logs] = decoded(encodeLogsRequest(SAMPLE));
    expect(logs?.resource).toEqual(SAMPLE.resource);
    expect(logs?.schemaUrl).toBe(SAMPLE.schemaUrl);
    expect(logs?.scope).toBe("oteljob");
    expect(logs?.records.map(({ time, observed, body, attributes }) => ({ time, observed, body, attributes }))).toEqual(
      SAMPLE.records.map(({ time, body, attributes }, at) => ({
        time,
        observed: at === 0 ? 5n : 2n,
        body,
        attributes,
      })),
    );
    expect(logs?.records.map((record) => [record.severity, record.severityNumber, record.severityText])).toEqual([
      ["info", 9, "info"],
      ["error", 17, "error"],
    ]);
  });

  test("nested attributes, lists and bytes are read", () => {
    const attributes = { map: { a: [1, "two", { three: 3 }] }, raw: new Uint8Array([0, 255]), none: null };
    const [logs] = decoded(
      encodeLogsRequest({ ...SAMPLE, records: [{ time: 1n, severity: "warn", body: attributes, attributes }] }),
    );
    expect(logs?.records[0]?.attributes).toEqual(attributes);
    expect(logs?.records[0]?.body).toEqual(attributes);
  });

  test("a body of a megabyte of text in one record comes back whole", () => {
    const body = "line of output ✓\n".repeat(60_000);
    const [logs] = decoded(
      encodeLogsRequest({ ...SAMPLE, records: [{ time: 1n, severity: "info", body, attributes: {} }] }),
    );
    expect(logs?.records[0]?.body).toBe(body);
  });

  test("a body cut at any byte is refused, never half stored", () => {
    const whole = encodeLogsRequest(SAMPLE);
    for (let length = 0; length < whole.length; length++) {
      const result = decodeLogsRequest(whole.subarray(0, length));
      if (length > 0) expect(result.ok ? "decoded" : result.error.kind).toBe("protocol");
    }
  });

  test("a length beyond the body, an endless number and deep nesting are refused", () => {
    const deep = Array.from({ length: 25 }).reduce<Uint8Array>(
      (inner) => Uint8Array.from([0x2a, inner.length + 2, 0x0a, inner.length, ...inner]),
      new Uint8Array(),
    );
    const record = Uint8Array.from([0x2a, deep.length, ...deep]);
    const wrap = (tag: number, inner: Uint8Array) => Uint8Array.from([tag, ...varint(inner.length), ...inner]);
    const cases: [Uint8Array, RegExp][] = [
      [Uint8Array.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 1]), /ends too early/],
      [Uint8Array.from([0x08, ...Array(12).fill(0xff)]), /never ends/],
      [Uint8Array.from([0x0b]), /wire type 3/],
      [wrap(0x0a, wrap(0x12, wrap(0x12, record))), /nested deeper/],
    ];
    for (const [bytes, reason] of cases) {
      const result = decodeLogsRequest(bytes);
      expect(result.ok ? "decoded" : result.error.message).toMatch(reason);
    }
  });

  test("fields of newer versions are skipped", () => {
    const body = encodeLogsRequest(SAMPLE);
    const extra = Uint8Array.from([
      0xf8,
      0x3f,
      7,
      0xfa,
      0x3f,
      2,
      1,
      2,
      0xfd,
      0x3f,
      1,
      2,
      3,
      4,
      0xf9,
      0x3f,
      ...Array(8).fill(9),
    ]);
    expect(decoded(Uint8Array.from([...extra, ...body, ...extra]))).toEqual(decoded(body));
  });

  test("a hostile body of empty records is refused instead of filling the memory", () => {
    const scope = new Uint8Array(240_000).map((_, at) => (at % 2 === 0 ? 0x12 : 0));
    const resource = Uint8Array.from([0x12, ...varint(scope.length), ...scope]);
    const result = decodeLogsRequest(Uint8Array.from([0x0a, ...varint(resource.length), ...resource]));
    expect(result.ok ? "decoded" : result.error.message).toContain("more than 100000 log records");
  });
});

describe("bodies of the Go exporter", () => {
  test("decode and encode to the very same bytes", () => {
    const bodies = GO_BODIES.trim().split("\n");
    expect(bodies.length).toBeGreaterThan(0);
    for (const text of bodies) {
      const body = Buffer.from(text, "base64");
      const [logs, ...others] = decoded(body);
      if (!logs) throw new Error("nothing decoded");
      expect(others).toEqual([]);
      expect(logs.scope).toBe("oteljob");
      expect(logs.records[0]?.body).toBe("creating job execution");
      expect(Buffer.from(encodeLogsRequest(logs)).equals(body)).toBe(true);
    }
  });
});

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)];
}
