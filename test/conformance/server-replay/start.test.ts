import { afterEach, describe, expect, test } from "bun:test";
import { recorded } from "./recorded.ts";
import { NOTHING, RUNNER_ID, type Scene, SETTINGS, startScene } from "./scene.ts";

let scene: Scene | null = null;
afterEach(async () => {
  await scene?.stop();
  scene = null;
});

describe("a start that the real server refuses ends with the code for a refusal and says why", () => {
  const refusals = [
    ["401: unknown token", "unable to validate token"],
    ["401: expired token", "token is expired"],
    ["403: valid token, account belongs to no org", "runner account not associated any org"],
    ["404: unknown runner", "record not found"],
  ] as const;
  for (const [note, said] of refusals) {
    test(note, async () => {
      scene = await startScene([["GET /v1/runners/*/settings", recorded("GetRunnerSettings", note)]]);
      expect(await scene.ended).toBe(3);
      expect(scene.said.join("\n")).toContain(said);
      expect(scene.arrived.map((one) => one.path)).toEqual([`/v1/runners/${RUNNER_ID}/settings`]);
    });
  }
});

test("an idle runner sends its beats, polls each group of its mode without a status, and nothing else", async () => {
  scene = await startScene([["GET /v1/runners/*/settings", SETTINGS]]);
  const beats = () => scene?.arrived.filter((one) => one.path.endsWith("/heart-beats")) ?? [];
  await scene.over(() => beats().length >= 4);
  const polls = scene.arrived.filter((one) => one.path.includes("/jobs?") && !one.path.includes("status="));
  const groups = new Set(polls.map((one) => new URL(one.path, "http://x").searchParams.get("group")));
  for (const group of ["sync", "sandbox", "deploy", "actions", "operations"]) expect(groups).toContain(group);
  for (const foreign of ["build", "management", "scripts", "containers", "plugins"])
    expect(groups).not.toContain(foreign);
  const bodies = beats().map((one) => JSON.parse(one.body.toString()));
  expect(bodies[0]).toMatchObject({ version: "0.1.0", process: "install" });
  expect(bodies.slice(1).every(({ alive_time }, n) => alive_time > bodies[n].alive_time)).toBe(true);
  expect(new Set(scene.arrived.map((one) => one.path.split("?")[0]?.split("/").at(-1)))).toEqual(
    new Set(["settings", "heart-beats", "jobs"]),
  );
});

test("a poll that the real server refuses as malformed, and one it fails, are followed by the next", async () => {
  scene = await startScene([
    ["GET /v1/runners/*/settings", SETTINGS],
    [
      "GET /v1/runners/*/jobs?group=deploy",
      recorded("GetRunnerJobs", "400"),
      recorded("GetHelmRelease", "500"),
      NOTHING,
    ],
  ]);
  const polls = () => scene?.arrived.filter((one) => one.path.endsWith("group=deploy")) ?? [];
  await scene.over(() => polls().length >= 4);
});

test("a heart-beat that the real server refuses is said once and goes on", async () => {
  const refused = recorded("CreateRunnerHeartBeat", "404: unknown runner");
  scene = await startScene([
    ["GET /v1/runners/*/settings", SETTINGS],
    ["POST /v1/runners/*/heart-beats", refused],
  ]);
  const beats = () => scene?.arrived.filter((one) => one.path.endsWith("/heart-beats")) ?? [];
  await scene.over(() => beats().length >= 3);
  expect(scene.said.filter((line) => line.includes("refuses heart-beats"))).toHaveLength(1);
});

test("a runner whose settings ask for metrics sends them in the form the real server takes", async () => {
  scene = await startScene([
    ["GET /v1/runners/*/settings", recorded("GetRunnerSettings", "200: org runner")],
    ["POST /v1/runners/*/metrics", recorded("RunnerOtelWriteMetrics", "201: gauge")],
  ]);
  await scene.over(({ path }) => path.endsWith("/metrics"));
  expect(scene.said.join("\n")).not.toContain("metrics");
}, 15_000);
