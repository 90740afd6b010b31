import { describe, expect, test } from "bun:test";
import type { z } from "zod";
import { errorBody } from "../../internal/protocol/nuon/base.ts";
import { decodeLogsRequest, encodeLogsRequest } from "../../internal/protocol/otlp.ts";
import { unnamedKeys } from "./named-keys.ts";
import { OPERATION_NAMES, OPERATIONS, type Operation, operationOf } from "./operations.ts";
import { type Exchange, goRunnerExchanges, isRemark, serverExchanges } from "./recordings.ts";

/** Scenarios whose point is an answer that no client is meant to understand. */
const WRONG_ON_PURPOSE = ["poll_invalid_json", "plan_not_json", "plan_wrong_types", "start_settings_bad_json"];
/** Answers about the route itself, not of the operation. */
const NOT_FOUND_PAGE = "404 page not found";

interface Body {
  readonly where: string;
  readonly schema: z.ZodType;
  readonly value: unknown;
}

function bodiesOf(exchange: Exchange): Body[] {
  const name = operationOf(exchange.method, exchange.path);
  const operation: Operation | undefined = name === undefined ? undefined : OPERATIONS[name];
  if (operation === undefined || WRONG_ON_PURPOSE.includes(exchange.name)) return [];
  const { status } = exchange;
  const bodies: Body[] = [];
  const add = (side: string, schema: z.ZodType | undefined, value: unknown) => {
    if (schema === undefined || value === undefined || isRemark(value)) return;
    if (value === "" && !schema.safeParse("").success) return; // an empty body, not a document
    bodies.push({ where: `${name} ${side} (${exchange.name})`, schema, value });
  };
  const { request } = operation;
  // What the server refused as malformed need not decode; everything it took must.
  if (request !== undefined && (status < 400 || request.safeParse(exchange.request).success)) {
    add("request", request, exchange.request);
  }
  const answer = operation.answers[status];
  if (answer !== undefined)
    add("answer", typeof answer === "function" ? answer(exchange.response) : answer, exchange.response);
  else if (status >= 400 && typeof exchange.response === "object") add(`${status}`, errorBody, exchange.response);
  else if (status >= 400 && exchange.response !== NOT_FOUND_PAGE) expect(typeof exchange.response).not.toBe("object");
  return bodies;
}

const recordings = {
  "the real Go runner": await goRunnerExchanges(),
  "the real control plane": await serverExchanges(),
};

for (const [source, exchanges] of Object.entries(recordings)) {
  describe(`every body recorded from ${source}`, () => {
    const byOperation = Map.groupBy(exchanges, (one) => operationOf(one.method, one.path) ?? "other");
    for (const name of OPERATION_NAMES) {
      const bodies = (byOperation.get(name) ?? []).flatMap(bodiesOf);
      if (bodies.length === 0) continue;

      test(`${name}: decodes and encodes again without loss`, () => {
        for (const { where, schema, value } of bodies) {
          const decoded = schema.safeParse(value);
          expect(decoded.success ? "" : `${where}: ${decoded.error.message}`).toBe("");
          expect(JSON.parse(JSON.stringify(decoded.data))).toEqual(JSON.parse(JSON.stringify(value)));
        }
      });

      test(`${name}: has a named field for every key`, () => {
        const unnamed = bodies.flatMap(({ schema, value }) => unnamedKeys(schema, value));
        expect([...new Set(unnamed.map((path) => path.replace(/\[\d+\]/g, "[]")))]).toEqual([]);
      });
    }
  });
}

test("each operation of the protocol is in a recording", () => {
  const seen = new Set(
    Object.values(recordings)
      .flat()
      .filter((one) => bodiesOf(one).length > 0)
      .map((one) => operationOf(one.method, one.path)),
  );
  expect(OPERATION_NAMES.filter((name) => !seen.has(name))).toEqual([]);
});

test("a recorded log export decodes and encodes again to the same bytes", () => {
  const exports = Object.values(recordings)
    .flat()
    .filter(
      (one) =>
        operationOf(one.method, one.path) === "LogStreamWriteLogs" && one.status === 201 && one.requestBytes !== null,
    );
  expect(exports.length).toBeGreaterThan(0);
  for (const { name, requestBytes } of exports) {
    const decoded = decodeLogsRequest(requestBytes ?? new Uint8Array());
    if (!decoded.ok) throw decoded.error;
    const again = decoded.value.map((logs) => Buffer.from(encodeLogsRequest(logs)));
    expect({ name, bytes: Buffer.concat(again).toString("hex") }).toEqual({
      name,
      bytes: Buffer.from(requestBytes ?? []).toString("hex"),
    });
  }
});
