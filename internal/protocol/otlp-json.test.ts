import { describe, expect, test } from "bun:test";
import { metricPointsOf, metricsBody, spansOf, tracesBody } from "./otlp-json.ts";

describe("OTLP in JSON", () => {
  test("gives spans of every resource and scope, with whole nanoseconds", () => {
    const resource = (name: string) => ({ attributes: [{ key: "service.name", value: { stringValue: name } }] });
    const body = tracesBody.parse({
      resourceSpans: [
        { resource: resource("a"), scopeSpans: [{ scope: { name: "x" }, spans: [{ name: "one" }, { name: "two" }] }] },
        {
          resource: resource("b"),
          scopeSpans: [{ spans: [{ name: "three", startTimeUnixNano: "1795229917466558729" }] }],
        },
      ],
    });
    expect(spansOf(body).map(({ name, service, scope }) => [name, service, scope])).toEqual([
      ["one", "a", "x"],
      ["two", "a", "x"],
      ["three", "b", ""],
    ]);
    expect(spansOf(body)[2]?.start_ns).toBe("1795229917466558729");
  });

  test("gives every point of a metric, and leaves out points without a value", () => {
    const dataPoints = [{ asInt: "3" }, { asDouble: 0.5 }, {}, { asInt: 4, attributes: [{ key: "k" }] }];
    const body = metricsBody.parse({
      resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: "m", gauge: { dataPoints } }] }] }],
    });
    expect(metricPointsOf(body).map(({ value }) => value)).toEqual([3, 0.5, 4]);
  });

  test("reads simple attribute values and passes over lists and maps", () => {
    const attributes = [
      { key: "text", value: { stringValue: "a" } },
      { key: "number", value: { intValue: "7" } },
      { key: "flag", value: { boolValue: false } },
      { key: "list", value: { arrayValue: { values: [] } } },
    ];
    const body = tracesBody.parse({ resourceSpans: [{ scopeSpans: [{ spans: [{ name: "s", attributes }] }] }] });
    expect(spansOf(body)[0]?.attributes).toEqual({ text: "a", number: "7", flag: false });
  });

  test("takes empty requests and refuses what has another shape", () => {
    expect(spansOf(tracesBody.parse({}))).toEqual([]);
    expect(metricPointsOf(metricsBody.parse({ resourceMetrics: null }))).toEqual([]);
    for (const wrong of [[], { resourceSpans: {} }, { resourceSpans: [5] }, null]) {
      expect(tracesBody.safeParse(wrong).success).toBe(false);
    }
  });
});
