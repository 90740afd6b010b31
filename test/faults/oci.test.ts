import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { addRunner, type Control, cleanAfter, outcomes, type RunnerHandle, startControl } from "./lib/control.ts";
import type { Sample } from "./lib/jobs.ts";
import { OCI_PASSWORD, packedFolder, type Registry, startRegistry } from "./lib/oci-remote.ts";
import { type Bed, freePort, makeBed, until } from "./lib/processes.ts";
import { type Fault, startProxy } from "./lib/proxy.ts";
import { startWire } from "./lib/tcp-proxy.ts";

const DONE = ["begin", "worked"];
/** In the middle of the large blob, well behind manifests and the small one. */
const MID_BLOB = 600_000;

let bed: Bed;
beforeEach(() => {
  bed = makeBed();
});
afterEach(() => bed.end());

async function finishedOnce(control: Control, id: string, job: Sample): Promise<void> {
  const doc = await control.ended(id);
  expect([doc.status, doc.reason]).toEqual(["finished", ""]);
  expect(doc.outputs).toMatchObject({ answer: "42" });
  expect(outcomes(doc)).toEqual(["finished"]);
  expect(job.traces()).toEqual(DONE);
}

describe("an artifact of a registry", () => {
  let control: Control;
  let registry: Registry;
  let runner: RunnerHandle;
  beforeEach(async () => {
    control = await startControl(bed);
    registry = await startRegistry(bed);
  });
  afterEach(() => registry.stop());

  const start = async (env: Record<string, string> = {}) => {
    runner = await addRunner(bed, control, { env });
  };
  const submit = (job: Sample) => control.submit(job.file, undefined, { OCI_PASSWORD });
  const clean = () => cleanAfter(bed, control, runner, [OCI_PASSWORD]);
  const nextJobWorks = async () => {
    const next = registry.job("next");
    await finishedOnce(control, await submit(next), next);
  };

  for (const point of ["oci.unpack", "oci.unpacked"]) {
    test(`the runner killed at ${point}: after its restart the job ends once`, async () => {
      await start({ RUNNER_FAILPOINT: point });
      const job = registry.job("job");
      const id = await submit(job);
      expect(await runner.proc.exited).toBe(137);
      runner.proc = runner.start();
      await finishedOnce(control, id, job);
      await clean();
    }, 60_000);
  }

  test("the runner killed in the middle of a blob: after its restart the job ends once with whole files", async () => {
    registry.wire.holdAfter = MID_BLOB;
    await start();
    const job = registry.job("job");
    const id = await submit(job);
    await until("the pull stands still", () => registry.wire.held());
    await runner.proc.kill9();
    registry.wire.release();
    runner.proc = runner.start();
    await finishedOnce(control, id, job);
    await clean();
  }, 60_000);

  test("cut twice in the middle of a blob: the pull goes on where it broke off", async () => {
    registry.wire.cutAfter = MID_BLOB;
    registry.wire.cuts = 2;
    await start();
    const job = registry.job("job");
    await finishedOnce(control, await submit(job), job);
    expect(registry.wire.cuts).toBe(0);
    await clean();
  }, 60_000);

  test("ends cancelled while a blob stands still", async () => {
    registry.wire.holdAfter = MID_BLOB;
    await start();
    const job = registry.job("job");
    const id = await submit(job);
    await until("the pull stands still", () => registry.wire.held());
    expect((await control.post(`/jobs/${id}/cancel`)).status).toBe(200);
    const doc = await control.ended(id);
    expect([doc.status, outcomes(doc), job.traces()]).toEqual(["cancelled", ["cancelled"], []]);
    registry.wire.release();
    await nextJobWorks();
    await clean();
  }, 60_000);

  const html = () => new Response("<html>sign in</html>", { headers: { "content-type": "text/html" } });
  const TROUBLES: Readonly<Record<string, (path: string) => Response | null>> = {
    "a blob of other bytes": (path) => (path.includes("/blobs/") ? new Response("x".repeat(2_097_152)) : null),
    "a blob that is too short": (path) => (path.includes("/blobs/") ? new Response("x") : null),
    "a manifest of another digest": (path) =>
      path.includes("/manifests/")
        ? new Response('{"schemaVersion":2,"layers":[]}', {
            headers: { "docker-content-digest": `sha256:${"0".repeat(64)}` },
          })
        : null,
    "an HTML page": html,
    "401 whatever it is told": () => new Response("no", { status: 401, headers: { "www-authenticate": "Basic" } }),
    "403": () => new Response("no", { status: 403 }),
    "404": () => new Response("no", { status: 404 }),
    "blobs that are gone": (path) => (path.includes("/blobs/") ? new Response("no", { status: 404 }) : null),
  };
  for (const [what, answer] of Object.entries(TROUBLES)) {
    test(`${what}: the job fails once with a reason and no secret, and the next one works`, async () => {
      registry.answer = answer;
      await start();
      const job = registry.job("job");
      const id = await submit(job);
      const doc = await control.ended(id);
      expect([doc.status, outcomes(doc), job.traces()]).toEqual(["failed", ["failed"], []]);
      expect(doc.reason.length).toBeGreaterThan(10);
      expect(doc.reason.split("\n")).toHaveLength(1);
      expect(JSON.stringify(doc) + (await control.log(id))).not.toContain(OCI_PASSWORD);
      registry.answer = null;
      await nextJobWorks();
      await clean();
    }, 60_000);
  }

  test("500 and 429 for a while: the pull is tried again and the job finishes", async () => {
    let left = 3;
    registry.answer = () => (left-- > 0 ? new Response("later", { status: left === 1 ? 429 : 500 }) : null);
    await start();
    const job = registry.job("job");
    await finishedOnce(control, await submit(job), job);
    await clean();
  }, 60_000);

  test("a registry that is gone and comes back: the pull is tried again and the job finishes", async () => {
    const { port } = registry.wire;
    registry.wire.cutAfter = 0;
    registry.wire.cuts = 3;
    await start();
    const job = registry.job("job");
    const id = await submit(job);
    await until("it was missed", () => registry.wire.cuts === 0);
    await finishedOnce(control, id, job);
    expect(port).toBe(registry.wire.port);
    await clean();
  }, 60_000);
});

describe("a packed folder", () => {
  const BLOBS = /GET \/v2\/.*\/blobs\//;
  for (const what of ["500", "429", "drop-answer"] as const) {
    test(`${what} while the runner pulls it: the pull is tried again and the job finishes`, async () => {
      const port = freePort();
      const control = await startControl(bed, { flags: ["--public-url", `http://127.0.0.1:${port}`] });
      const proxy = startProxy(control.url, port);
      const fault: Fault = { on: BLOBS, what, times: 2 };
      proxy.faults = [fault];
      const runner = await addRunner(bed, control, { url: proxy.url });
      const job = packedFolder(bed, "job");
      await finishedOnce(control, await control.submit(job.file), job);
      expect(proxy.hits(fault)).toBe(2);
      await cleanAfter(bed, control, runner);
      proxy.stop();
    }, 60_000);
  }

  test("cut twice in the middle of its pull: the pull goes on where it broke off", async () => {
    const control = await startControl(bed);
    const wire = await startWire({ port: control.port });
    const runner = await addRunner(bed, control, { url: `http://127.0.0.1:${wire.port}` });
    wire.cutAfter = MID_BLOB;
    wire.cuts = 2;
    const job = packedFolder(bed, "job");
    await finishedOnce(control, await control.submit(job.file), job);
    expect(wire.cuts).toBe(0);
    await cleanAfter(bed, control, runner);
    wire.stop();
  }, 60_000);

  test("the coordinator killed in the middle of its pull: the job finishes when it is back", async () => {
    const control = await startControl(bed);
    const wire = await startWire({ port: control.port });
    const runner = await addRunner(bed, control, { url: `http://127.0.0.1:${wire.port}` });
    wire.holdAfter = MID_BLOB;
    const job = packedFolder(bed, "job");
    const id = await control.submit(job.file);
    await until("the pull stands still", () => wire.held());
    await control.proc.kill9();
    wire.release();
    await control.restart();
    await finishedOnce(control, id, job);
    await cleanAfter(bed, control, runner);
    wire.stop();
  }, 60_000);

  for (const what of ["500", "drop-answer", "429"] as const) {
    test(`${what} while it is uploaded: submitting again, if need be, makes one job that works`, async () => {
      const control = await startControl(bed);
      const proxy = startProxy(control.url);
      proxy.faults = [{ on: /PUT .*\/sources\/blobs\//, what, times: 1 }];
      const runner = await addRunner(bed, control);
      const job = packedFolder(bed, "job");
      const submit = () =>
        bed.run(["job", "submit", "-f", job.file, "--json"], {
          ...control.admin(),
          RUNNER_COORDINATOR_URL: proxy.url,
        });
      let answer = await submit();
      if (answer.code !== 0) {
        expect(answer.stderr).toContain("→");
        answer = await submit();
      }
      expect([answer.code, answer.stderr]).toEqual([0, ""]);
      await finishedOnce(control, JSON.parse(answer.stdout).job, job);
      expect(await jobCount(control)).toBe(1);
      await cleanAfter(bed, control, runner);
      proxy.stop();
    }, 60_000);
  }

  test("the upload killed and cut in its middle leaves no half blob, and the next one works", async () => {
    const control = await startControl(bed);
    const wire = await startWire({ port: control.port });
    wire.holdAfter = 1;
    const runner = await addRunner(bed, control);
    const job = packedFolder(bed, "job");
    const env = { ...control.admin(), RUNNER_COORDINATOR_URL: `http://127.0.0.1:${wire.port}` };
    const proc = bed.spawn(["job", "submit", "-f", job.file, "--json"], env);
    await until("the upload has begun", () => wire.held());
    await proc.kill9();
    wire.stop();
    await finishedOnce(control, await control.submit(job.file), job);
    expect(await jobCount(control)).toBe(1);
    const sources = readdirSync(bed.path("coordinator", "sources"), { recursive: true, encoding: "utf8" });
    expect(sources.filter((name) => name.includes("incoming"))).toEqual([]);
    await cleanAfter(bed, control, runner);
  }, 60_000);
});

async function jobCount(control: Control): Promise<number> {
  const headers = { Authorization: `Bearer ${control.admin().RUNNER_ADMIN_KEY}` };
  return ((await (await fetch(`${control.url}/api/v1/jobs`, { headers })).json()) as unknown[]).length;
}
