import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type GoBed, startGoBed, until } from "./lib/bed.ts";
import { type GoRunner, MODES, type Mode } from "./lib/go-runner.ts";
import { encodeRequest } from "./lib/http.ts";
import { recordedHeaders } from "./lib/recorded.ts";

/** Idle start (recordings start_idle_* and mng_idle; nuon-runner-api.md 5.1, 6.1, 7). */
let bed: GoBed;
beforeAll(async () => {
  bed = await startGoBed();
});
afterAll(() => bed.end());

test("the replayed runner puts the bytes on the wire that were recorded of the real one", async () => {
  const sent = encodeRequest("127.0.0.1:18083", {
    method: "GET",
    path: "/v1/runners/runtestrunner0000000000001/settings",
    headers: {
      Accept: "application/json",
      Authorization: "Bearer fake-runner-token",
      "X-Nuon-Client-Version": "runner:development",
    },
  });
  const { method, path, headers } = await recordedHeaders("start_idle_run", "/settings");
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  expect(sent.toString()).toBe([`${method} ${path} HTTP/1.1`, ...lines, "", ""].join("\r\n"));
});

describe("a Go runner that starts", () => {
  const modes = ["run", "install", "build", "mng"] as const satisfies readonly Mode[];
  const started = new Map<Mode, { readonly id: string; readonly runner: GoRunner }>();
  beforeAll(async () => {
    for (const mode of modes) {
      const identity = await bed.identity();
      started.set(mode, { id: identity.id, runner: await bed.start(identity, { mode, pace: 1 }) });
    }
    const beaten = () => [...started.values()].every(({ runner }) => runner.heartBeats.length > 0);
    await until("a heart beat of each", beaten, 10_000);
  }, 30_000);

  for (const mode of modes) {
    test(`in mode ${mode} gets settings it can start with, no job for each group, and 201 for its heart beats`, async () => {
      const { id, runner } = started.get(mode) ?? fail();
      expect(runner.settings).toMatchObject({ heart_beat_timeout: 5_000_000_000, enable_logging: true });
      const { process: name, groups } = MODES[mode];
      expect(runner.heartBeats[0]).toMatchObject({ runner_id: id, version: "development" });
      expect(runner.heartBeats[0]?.process ?? "").toBe(name ?? "");
      expect(runner.heartBeats[0]?.alive_time).toBeGreaterThan(4.9e9);
      expect(runner.errors).toEqual([]);
      const doc = await bed.runner(id);
      expect(doc).toMatchObject({ contact: "online", session: { dialect: "nuon", version: "development" } });
      expect(Object.keys(doc.session?.slots ?? {}).sort()).toEqual([...groups].sort());
    });
  }
});

function fail(): never {
  throw new Error("it did not start");
}

test("settings are compact JSON in which a text search finds the image, on one line", async () => {
  const identity = await bed.identity();
  const answer = await fetch(`${bed.url}/v1/runners/${identity.id}/settings?token=${identity.token}`);
  const text = await answer.text();
  expect(text).toMatch(/"container_image_url":"[^"]+"/);
  expect(text).toMatch(/"container_image_tag":"[^"]+"/);
  expect(text).not.toContain("\n");
  expect(JSON.parse(text)).toMatchObject({ logging_level: "INFO", sandbox_mode: false });
});

test("a Go runner with a wrong token does not start", async () => {
  const identity = await bed.identity();
  await expect(bed.start({ ...identity, token: "wrong" })).rejects.toThrow("unable to validate token");
});
