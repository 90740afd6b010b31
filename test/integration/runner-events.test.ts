import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Bed, type RunnerClient, startBed } from "./runner-api-bed.ts";

/** What a runner tells of its version and its machine: lines of the timeline. */
let bed: Bed;
let runner: RunnerClient;
beforeAll(async () => {
  bed = await startBed();
  runner = await bed.runner("vm-1");
});
afterAll(() => bed.stop());

const tell = (body: unknown) => runner.call("POST", `/v1/runners/${runner.id}/events`, body);
const told = async () =>
  (await bed.admin("GET", `/events?subject=${runner.id}`)).json
    .filter(({ what }: { what: string }) => what !== "runner-created")
    .map(({ what, by, why }: Record<string, string>) => [what, by, why]);

test("a version that was taken back is in the timeline of its runner, once however often it is told", async () => {
  const back = { id: "settings:2.0.0:1", what: "update-rolled-back", why: "1.0.0 → 2.0.0 (asked by settings): sick" };
  expect((await tell(back)).status).toBe(201);
  await tell(back);
  await bed.restart();
  await tell(back);
  await tell({ id: "2", what: "disk-low", why: "100 MiB of disk space are left" });
  expect(await told()).toEqual([
    ["update-rolled-back", `runner:${runner.id}`, back.why],
    ["disk-low", `runner:${runner.id}`, "100 MiB of disk space are left"],
  ]);
});

for (const [what, body] of [
  ["a word of its own choice", { id: "a", what: "finished", why: "" }],
  ["a book", { id: "a", what: "updated", why: "x".repeat(2_001) }],
  ["more than is asked", { id: "a", what: "updated", why: "", at: "2026-01-01T00:00:00Z" }],
] as const) {
  test(`${what} gets no line there`, async () => {
    const before = await told();
    expect((await tell(body)).status).toBe(400);
    expect(await told()).toEqual(before);
  });
}

test("a runner that tells without end waits, and no other for it", async () => {
  const many = await bed.runner("vm-many");
  const say = (id: string) =>
    many.call("POST", `/v1/runners/${many.id}/events`, { id, what: "memory-low", why: "x".repeat(2_000) });
  const answers: number[] = [];
  for (let n = 0; n <= 60; n += 1) answers.push((await say(String(n))).status);
  expect(answers).toEqual([...Array(60).fill(201), 429]);
  expect(Number((await say("61")).headers.get("retry-after"))).toBeGreaterThan(0);
  expect((await tell({ id: "3", what: "disk-enough", why: "" })).status).toBe(201);
});

test("a runner tells of itself alone", async () => {
  const other = await bed.runner("vm-other");
  const before = await told();
  const body = { id: "9", what: "updated", why: "forged" };
  expect((await other.call("POST", `/v1/runners/${runner.id}/events`, body)).status).toBe(404);
  expect(await told()).toEqual(before);
});
