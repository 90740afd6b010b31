import { afterEach, expect, test } from "bun:test";
import { type NuonRunner, startNuonRunner } from "../conformance/server-replay/nuon-runner.ts";
import { type Bed, startBed, submit } from "./runner-api-bed.ts";

/** Our runner with our coordinator, but in Nuon's protocol only: what both halves believe of it must fit together. */
let bed: Bed | null = null;
let one: NuonRunner | null = null;
afterEach(async () => {
  await one?.stop();
  await bed?.stop();
});

async function start() {
  bed = await startBed();
  const at = bed;
  const { id, token } = await at.runner("nuon");
  one = startNuonRunner({ url: at.url, runnerId: id, token, factor: 5 });
  await one.runner.ready;
  const show = async (job: string) => (await at.admin("GET", `/jobs/${job}`)).json;
  const ended = async (job: string) => {
    for (let tries = 0; tries < 300; tries++) {
      const doc = await show(job);
      if (["finished", "failed", "cancelled", "timed-out"].includes(doc.status)) return doc;
      await Bun.sleep(50);
    }
    throw new Error(`the job did not end; the runner said:\n${one?.said.join("\n")}`);
  };
  return { at, id, show, ended };
}
const action = (run: string) => ({ type: "actions-workflow", name: "a", spec: { steps: [{ name: "s", run }] } });

test("an action runs, with its outputs, its log and its steps", async () => {
  const { at, id, ended } = await start();
  const job = await submit(at, action('echo "hello from the step"\necho "answer=42" >> "$RUNNER_OUTPUT"\n'), {
    runner: id,
  });
  const doc = await ended(job);
  expect([doc.status, doc.outputs.answer]).toEqual(["finished", "42"]);
  expect((await at.admin("GET", `/jobs/${job}/logs?format=text`)).text).toContain("hello from the step");
  expect(one?.said.join("\n")).not.toContain("not recorded");
}, 30_000);

test("a failed action says why, and a job without a plan is done", async () => {
  const { at, id, ended } = await start();
  const job = await submit(at, action("exit 7\n"), { runner: id });
  expect((await ended(job)).status).toBe("failed");
  const noop = await submit(at, { type: "noop" }, { runner: id });
  expect((await ended(noop)).status).toBe("finished");
}, 30_000);

test("a cancel is noticed by asking, and the coordinator has it as cancelled", async () => {
  const { at, id, show, ended } = await start();
  const job = await submit(at, action("sleep 300\n"), { runner: id });
  for (let tries = 0; (await show(job)).status !== "in-progress"; tries++) {
    if (tries > 300) throw new Error("it was never taken");
    await Bun.sleep(50);
  }
  await at.admin("POST", `/jobs/${job}/cancel`, {});
  expect((await ended(job)).status).toBe("cancelled");
  for (let tries = 0; (one?.runner.status().executions.length ?? 0) > 0; tries++) {
    if (tries > 300) throw new Error("the runner still works on it");
    await Bun.sleep(50);
  }
}, 30_000);
