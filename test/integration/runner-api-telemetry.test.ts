import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ACTION, type Bed, claim, openSession, type RunnerClient, send, startBed, submit } from "./runner-api-bed.ts";

/** What runners tell of themselves: health checks, traces, metrics (nuon-runner-api.md 2.17, 8.5). */
let bed: Bed;
let runner: RunnerClient;
let stranger: RunnerClient;
beforeAll(async () => {
  bed = await startBed();
  runner = await bed.runner("teller");
  stranger = await bed.runner("stranger");
});
afterAll(() => bed.stop());

async function metrics(): Promise<string[]> {
  const key = readFileSync(join(bed.dataDir, "admin.key"), "utf8").trim();
  const answer = await send(`${bed.url}/metrics`, "GET", undefined, { authorization: `Bearer ${key}` });
  return answer.text.split("\n");
}
const at = (path: string) => `/v1/runners/${runner.id}/${path}`;

describe("a health check", () => {
  test("is answered 201 with its row, and the age of the last one of each process is on /metrics", async () => {
    const answer = await runner.call("POST", at("health-checks"), { process: "install" });
    expect(answer.status).toBe(201);
    expect(Object.keys(answer.json)).toEqual([
      "id",
      "created_by_id",
      "created_at",
      "updated_at",
      "runner_id",
      "status_code",
      "process",
    ]);
    expect(answer.json).toMatchObject({ runner_id: runner.id, status_code: 0, process: "install" });
    expect((await runner.call("POST", at("health-checks"), {})).json.process).toBe("");
    const told = (await metrics()).filter((line) => line.startsWith("runner_reported_health_seconds{"));
    expect(told.map((line) => line.split("}")[0])).toEqual([
      'runner_reported_health_seconds{runner="teller",process=""',
      'runner_reported_health_seconds{runner="teller",process="install"',
    ]);
  });

  test("of another runner is 404", async () => {
    expect((await stranger.call("POST", at("health-checks"), {})).status).toBe(404);
  });
});

const gauge = (name: string, value: number, attributes: object[] = []) => ({
  resourceMetrics: [
    { scopeMetrics: [{ metrics: [{ name, gauge: { dataPoints: [{ asDouble: value, attributes }] } }] }] },
  ],
});
const seriesOf = async (name: string) =>
  (await metrics()).filter((line) => line.startsWith("runner_reported_metric{") && line.includes(`metric="${name}"`));

describe("metrics of a runner", () => {
  test("keep the last value of a gauge and a cumulative sum, add up a delta, and split a histogram", async () => {
    const sum = (name: string, aggregationTemporality: number, asInt: string) => ({
      name,
      sum: { aggregationTemporality, isMonotonic: true, dataPoints: [{ asInt }] },
    });
    const body = (value: string) => ({
      resourceMetrics: [
        {
          resource: { attributes: [] },
          scopeMetrics: [
            {
              metrics: [
                sum("total", 2, value),
                sum("change", 1, value),
                { name: "wait", histogram: { dataPoints: [{ count: "2", sum: 3, bucketCounts: ["1", "1"] }] } },
              ],
            },
          ],
        },
      ],
    });
    for (const value of ["3", "4"]) {
      const answer = await runner.call("POST", at("metrics"), body(value));
      expect({ status: answer.status, text: answer.text }).toEqual({ status: 201, text: '"ok"' });
    }
    const last = async (name: string) => (await seriesOf(name)).map((line) => line.split(" ").at(-1));
    expect(await last("total")).toEqual(["4"]);
    expect(await last("change")).toEqual(["7"]);
    expect(await last("wait.count")).toEqual(["2"]);
    expect(await last("wait.sum")).toEqual(["3"]);
  });

  test("are kept apart by their attributes, and bounded: further series are counted, not kept", async () => {
    const attributes = [{ key: "group", value: { stringValue: "deploy" } }];
    await runner.call("POST", at("metrics"), gauge("jobs", 2, attributes));
    expect(await seriesOf("jobs")).toEqual([
      'runner_reported_metric{runner="teller",metric="jobs",kind="gauge",attributes="group=deploy"} 2',
    ]);
    const many = Array.from({ length: 600 }, (_, n) => ({ name: `m${n}`, gauge: { dataPoints: [{ asDouble: n }] } }));
    await stranger.call("POST", `/v1/runners/${stranger.id}/metrics`, {
      resourceMetrics: [{ scopeMetrics: [{ metrics: many }] }],
    });
    const lines = await metrics();
    expect(lines.filter((line) => line.includes('runner="stranger"'))).toHaveLength(500);
    expect(lines).toContain("runner_coordinator_reported_dropped_total 100");
  });

  test("may come without anything in them; what is no OTLP JSON is 400", async () => {
    expect((await runner.call("POST", at("metrics"), {})).status).toBe(201);
    for (const body of [new TextEncoder().encode("x"), new Uint8Array([10, 3, 1, 2, 3]), { resourceMetrics: 5 }]) {
      expect((await runner.call("POST", at("metrics"), body)).status).toBe(400);
    }
  });

  test("published as counters, timings and events are 201 with a status; a body that is no list is 400", async () => {
    const tags = ["a:b"];
    const entries = [
      { incr: { name: "runner.start", tags } },
      { incr: { name: "runner.start", tags } },
      { decr: { name: "runner.start", tags } },
      { timing: { name: "runner.took", value: 12 } },
      { event: { title: "restarted" } },
    ];
    const answer = await runner.call("POST", "/v1/general/metrics", entries);
    expect({ status: answer.status, json: answer.json }).toEqual({ status: 201, json: { status: "ok" } });
    expect((await seriesOf("runner.start"))[0]).toEndWith('kind="count",attributes="a=b"} 1');
    expect((await seriesOf("runner.took"))[0]).toEndWith(" 12");
    expect((await seriesOf("restarted"))[0]).toEndWith(" 1");
    expect((await runner.call("POST", "/v1/general/metrics", { incr: {} })).status).toBe(400);
  });
});

describe("traces of a runner", () => {
  const span = (job: string, name: string) => ({
    traceId: "00000000000000000000000000000001",
    spanId: "0000000000000001",
    name,
    kind: 1,
    startTimeUnixNano: "1795229917466558729",
    endTimeUnixNano: "1795229918466558729",
    attributes: [{ key: "runner_job.id", value: { stringValue: job } }],
    events: [{ timeUnixNano: "1795229917466558729", name: "e1" }],
  });
  const traces = (...spans: object[]) => ({
    // Two resources with spans: a request that never ends on the real server.
    resourceSpans: spans.map((one) => ({
      resource: { attributes: [{ key: "service.name", value: { stringValue: "runner" } }] },
      scopeSpans: [{ scope: { name: "s" }, spans: [one] }],
    })),
  });

  test("are 200, also with two resources, and belong to a job only when it is the runner's own", async () => {
    await openSession(runner, "instance-1");
    const job = await submit(bed, ACTION, { runner: runner.id });
    await claim(runner, "instance-1");
    const answer = await runner.call("POST", at("traces"), traces(span(job, "execute"), span(job, "cleanup")));
    expect({ status: answer.status, text: answer.text }).toEqual({ status: 200, text: '"ok"' });
    await stranger.call("POST", `/v1/runners/${stranger.id}/traces`, traces(span(job, "forged")));
    const kept = (await bed.admin("GET", `/jobs/${job}/spans`)).json.spans;
    expect(kept.map((one: { name: string }) => one.name)).toEqual(["execute", "cleanup"]);
    expect(kept[0]).toMatchObject({ start_ns: "1795229917466558729", service: "runner", scope: "s" });
  });

  test("may be empty; protobuf is 400", async () => {
    expect((await runner.call("POST", at("traces"), {})).status).toBe(200);
    expect((await runner.call("POST", at("traces"), new Uint8Array([10, 3, 1, 2, 3]))).status).toBe(400);
  });
});
