import { expect, test } from "bun:test";
import { startOtlpReceiver } from "../../../test/lib/otlp-receiver.ts";
import { encodeTraces } from "./otlp-messages.ts";
import type { FinishedSpan } from "./tracer.ts";

const sender = { resource: { "service.name": "runner" }, version: "1" };
/** Lengths around the borders of what one, two and three bytes can tell, and texts that are not one byte a character. */
const TEXTS = [
  "",
  "a",
  ...[126, 127, 128, 129, 16_383, 16_384].map((n) => "x".repeat(n)),
  "é",
  "日本 ".repeat(60),
  "\0",
];
const VALUES = [...TEXTS, 0, 127, 128, 0.5, 2 ** 40, true, false, ["--flag", "ü"], null, undefined];
const END = 1_770_000_000_123.456;
/** Around the carry between the halves of a time in nanoseconds. */
const carry = Math.floor((END * 1e6) / 2 ** 32) * (2 ** 32 / 1e6);

const spans = VALUES.map(
  (value, n): FinishedSpan => ({
    traceId: (n + 1).toString(16).padStart(32, "f0"),
    spanId: (n + 1).toString(16).padStart(16, "0e"),
    parentId: n % 2 === 0 ? null : "00000000000000ff",
    name: TEXTS[n % TEXTS.length] ?? "",
    kind: "client",
    startMs: n % 3 === 0 ? 0 : carry + (n - 12) / 1_000,
    endMs: END,
    attributes: { first: "1", value, last: n },
    error: n % 4 === 0 ? (TEXTS[(n + 3) % TEXTS.length] ?? "") : null,
  }),
);

test("a span of any length, script and time reads the same in protobuf and in JSON", async () => {
  const read = async (encoding: "protobuf" | "json", given: readonly FinishedSpan[]) => {
    const collector = startOtlpReceiver();
    try {
      const type = encoding === "json" ? "application/json" : "application/x-protobuf";
      const body = new Uint8Array(encodeTraces(encoding, given, sender));
      await fetch(`${collector.url}/v1/traces`, { method: "POST", headers: { "content-type": type }, body });
      return collector.spans;
    } finally {
      collector.stop();
    }
  };
  const expected = await read("json", spans);
  expect(expected).toHaveLength(spans.length);
  expect(await read("protobuf", spans)).toEqual(expected);
  for (const [n, span] of spans.entries()) expect(await read("protobuf", [span])).toEqual(expected.slice(n, n + 1));
});
