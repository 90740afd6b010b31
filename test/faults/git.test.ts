import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdirSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { addRunner, type Control, cleanAfter, outcomes, type RunnerHandle, startControl } from "./lib/control.ts";
import { GIT_TOKEN, type Remote, startRemote } from "./lib/git-remote.ts";
import type { Sample } from "./lib/jobs.ts";
import { type Bed, makeBed, strangersBelow, until } from "./lib/processes.ts";

const DONE = ["begin", "worked"];
/** In the middle of the objects, well behind greeting and refs. */
const MID_PACK = 300_000;

let bed: Bed;
let control: Control;
let remote: Remote;
beforeEach(async () => {
  bed = makeBed();
  control = await startControl(bed);
  remote = await startRemote(bed);
});
afterEach(async () => {
  remote.stop();
  await bed.end();
});

const start = (env: Record<string, string> = {}): Promise<RunnerHandle> =>
  addRunner(bed, control, { flags: remote.flags, env: { ...remote.env, ...env } });
const submit = (job: Sample) => control.submit(job.file, undefined, { GIT_TOKEN });
const again = (runner: RunnerHandle) => {
  runner.proc = runner.start(remote.env);
};
const clean = (runner: RunnerHandle) => cleanAfter(bed, control, runner, [GIT_TOKEN]);

/** A later job of the same repository: what the trouble left in the cache does it no harm. */
async function nextJobWorks(): Promise<void> {
  const next = remote.job("next");
  const doc = await control.ended(await submit(next));
  expect([doc.status, doc.reason, next.traces()]).toEqual(["finished", "", DONE]);
}

async function finishedOnce(id: string, job: Sample): Promise<void> {
  const doc = await control.ended(id);
  expect([doc.status, doc.reason]).toEqual(["finished", ""]);
  expect(doc.outputs).toMatchObject({ answer: "42" });
  expect(outcomes(doc)).toEqual(["finished"]);
  expect(job.traces()).toEqual(DONE);
}

describe("a runner killed with SIGKILL while it fetches a git source", () => {
  for (const point of ["git.fetch", "git.swap", "git.checkout"]) {
    test(`at ${point}: after its restart the job ends once, and the cache serves the next one`, async () => {
      const runner = await start({ RUNNER_FAILPOINT: point });
      const job = remote.job("job");
      const id = await submit(job);
      expect(await runner.proc.exited).toBe(137);
      again(runner);
      await finishedOnce(id, job);
      await nextJobWorks();
      await clean(runner);
    }, 60_000);
  }

  for (const [where, bytes] of [
    ["before the server has said a word", 1],
    ["in the middle of the objects", MID_PACK],
  ] as const) {
    test(`${where}: no git is left, the job ends once`, async () => {
      remote.wire.holdAfter = bytes;
      const runner = await start();
      const job = remote.job("job");
      const id = await submit(job);
      await until("the fetch stands still", () => remote.wire.held());
      // Seen while it works, so that not seeing it afterwards means something.
      expect(strangersBelow(bed.root, bed.pids()).join("\n")).toContain("git");
      await runner.proc.kill9();
      remote.wire.release();
      again(runner);
      await finishedOnce(id, job);
      await nextJobWorks();
      await clean(runner);
    }, 60_000);
  }

  test("while a second job waits for the same repository: both end once", async () => {
    remote.wire.holdAfter = MID_PACK;
    const runner = await start();
    const jobs = [remote.job("one"), remote.job("two")];
    const ids = [await submit(jobs[0] as Sample), await submit(jobs[1] as Sample)];
    await until("the fetch stands still", () => remote.wire.held());
    await runner.proc.kill9();
    remote.wire.release();
    again(runner);
    for (const [at, id] of ids.entries()) await finishedOnce(id, jobs[at] as Sample);
    await clean(runner);
  }, 60_000);

  test("while a damaged cache is exchanged: the job ends once with whole files", async () => {
    const runner = await start();
    await nextJobWorks();
    const cache = bed.path(".cache", "runner", "tools", "git");
    const packs = readdirSync(cache, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".pack"));
    expect(packs.length).toBeGreaterThan(0);
    for (const pack of packs) truncateSync(join(cache, pack), 1_000);
    await runner.restart({ ...remote.env, RUNNER_FAILPOINT: "git.swap" });
    const job = remote.job("job");
    const id = await submit(job);
    expect(await runner.proc.exited).toBe(137);
    again(runner);
    await finishedOnce(id, job);
    await clean(runner);
  }, 60_000);
});

describe("a git server that misbehaves", () => {
  test("cut in the middle of the objects: the job fails with the reason, the next one works", async () => {
    remote.wire.cutAfter = MID_PACK;
    remote.wire.cuts = 1_000;
    const runner = await start();
    const job = remote.job("job");
    const doc = await control.ended(await submit(job));
    expect(doc.status).toBe("failed");
    expect(doc.reason).toContain(`https://127.0.0.1:${remote.wire.port}/team.git`);
    expect(outcomes(doc)).toEqual(["failed"]);
    expect(job.traces()).toEqual([]);
    remote.wire.cutAfter = null;
    await nextJobWorks();
    await clean(runner);
  }, 60_000);

  test("slow for a moment: the job waits and finishes", async () => {
    remote.wire.holdAfter = MID_PACK;
    const runner = await start();
    const job = remote.job("job");
    const id = await submit(job);
    await until("the fetch stands still", () => remote.wire.held());
    await Bun.sleep(1_000);
    remote.wire.release();
    await finishedOnce(id, job);
    await clean(runner);
  }, 60_000);

  const ANSWERS: Readonly<Record<string, () => Response>> = {
    "500": () => new Response("boom", { status: 500 }),
    "401": () => new Response("no", { status: 401, headers: { "www-authenticate": "Basic" } }),
    "403": () => new Response("no", { status: 403 }),
    "404": () => new Response("no", { status: 404 }),
    "an HTML page": () => new Response("<html>sign in</html>", { headers: { "content-type": "text/html" } }),
    "an advertisement that ends in its middle": () =>
      new Response("001e# service=git-upload-pack\n0000003f", {
        headers: { "content-type": "application/x-git-upload-pack-advertisement" },
      }),
    "a redirect to itself": () =>
      new Response(null, { status: 302, headers: { location: "/team.git/info/refs?service=git-upload-pack" } }),
  };
  for (const [what, answer] of Object.entries(ANSWERS)) {
    test(`${what}: the job fails once with a reason that names the server, and no secret`, async () => {
      remote.answer = answer;
      const runner = await start();
      const job = remote.job("job");
      const id = await submit(job);
      const doc = await control.ended(id);
      expect(doc.status).toBe("failed");
      expect(doc.reason).toContain("127.0.0.1");
      expect(doc.reason.split("\n")).toHaveLength(1);
      expect(outcomes(doc)).toEqual(["failed"]);
      expect(job.traces()).toEqual([]);
      expect(JSON.stringify(doc) + (await control.log(id))).not.toContain(GIT_TOKEN);
      remote.answer = null;
      await nextJobWorks();
      await clean(runner);
    }, 60_000);
  }
});

describe("a job whose git source stands still", () => {
  test("ends cancelled when it is cancelled, and no git is left", async () => {
    remote.wire.holdAfter = MID_PACK;
    const runner = await start();
    const job = remote.job("job");
    const id = await submit(job);
    await until("the fetch stands still", () => remote.wire.held());
    expect((await control.post(`/jobs/${id}/cancel`)).status).toBe(200);
    const doc = await control.ended(id);
    expect([doc.status, outcomes(doc), job.traces()]).toEqual(["cancelled", ["cancelled"], []]);
    remote.wire.release();
    await nextJobWorks();
    await clean(runner);
  }, 60_000);

  test("ends timed out at its own limit, and no git is left", async () => {
    remote.wire.holdAfter = MID_PACK;
    const runner = await start();
    const job = remote.job("job", { timeout: "3s" });
    const doc = await control.ended(await submit(job));
    expect([doc.status, outcomes(doc), job.traces()]).toEqual(["timed-out", ["timed-out"], []]);
    remote.wire.release();
    await nextJobWorks();
    await clean(runner);
  }, 60_000);
});
