import { describe, expect, test } from "bun:test";
import {
  executionSpanId,
  formatTraceparent,
  jobSpanId,
  numberedSpanId,
  parseTraceparent,
  runnerSpanId,
  traceIdOf,
} from "./trace-ids.ts";

describe("a traceparent", () => {
  const ids = { traceId: "8a175a8d82d0dd70429504f5590c88a4", spanId: "6fc5ff930b23cfff" };

  test("reads as it was written", () => {
    for (const sampled of [true, false])
      expect(parseTraceparent(formatTraceparent({ ...ids, sampled }))).toEqual({ ...ids, sampled });
  });

  test("of a later version may say more", () => {
    expect(parseTraceparent(`01-${ids.traceId}-${ids.spanId}-01-more`)).toEqual({ ...ids, sampled: true });
  });

  test.each([
    ["of version ff", `ff-${ids.traceId}-${ids.spanId}-01`],
    ["of no trace", `00-${"0".repeat(32)}-${ids.spanId}-01`],
    ["of no span", `00-${ids.traceId}-${"0".repeat(16)}-01`],
    ["in capitals", `00-${ids.traceId.toUpperCase()}-${ids.spanId}-01`],
    ["that is cut off", `00-${ids.traceId}-${ids.spanId}`],
    ["with something behind it", `00-${ids.traceId}-${ids.spanId}-01 `],
    ["that is no text", 1],
  ])("%s is none", (_, text) => {
    expect(parseTraceparent(text)).toBeNull();
  });
});

test("ids of a trace are different for the job, each of its executions, both halves, and all that is numbered below", () => {
  const traceId = traceIdOf("job1");
  const executions = [1, 2, 17, 70_000].map((epoch) => executionSpanId(traceId, epoch));
  const bases = [jobSpanId(traceId), ...executions];
  const ids = bases.flatMap((base) => [base, runnerSpanId(base), ...[0, 1, 7].map((n) => numberedSpanId(base, n))]);
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{16}$/);
  expect(new Set(ids).size).toBe(ids.length);
});
