import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { presenceOf } from "../../../internal/runner/supervisor/presence.ts";
import { type Bed, makeBed, type Proc, until } from "../../faults/lib/processes.ts";
import { type NuonServer, startNuonServer, type TestJob } from "../../lib/nuon-server.ts";

setDefaultTimeout(90_000);

let bed: Bed;
let server: NuonServer;
let mng: Proc;
const runner = () => presenceOf(bed.path("state/install"));
beforeAll(async () => {
  bed = makeBed();
  server = await startNuonServer();
  server.settings.heart_beat_timeout = 500_000_000;
  start();
  await until("the runner is connected", () => runner()?.ready, 60_000);
});
afterAll(async () => {
  await mng?.kill9();
  const left = runner();
  if (left) process.kill(left.pid, "SIGKILL");
  await bed?.end();
  server?.stop();
});

function start(): void {
  mng = bed.spawn(["mng", "--state-dir", bed.path("state/mng"), "--dialect", "nuon", "--service", "process"], {
    RUNNER_API_URL: server.url,
    RUNNER_ID: server.runnerId,
    RUNNER_API_TOKEN: server.token,
    RUNNER_PREFIX: bed.path("usr"),
    RUNNER_UPDATE_SETTLE: "100ms",
    RUNNER_POWER_OFF: `touch ${bed.path("off")}`,
  });
}

const managed = (type: string, more: Partial<TestJob> = {}) =>
  server.addJob({ type, group: "management", operation: "exec", ...more });
const execution = (job: TestJob) => server.executions.find(({ jobId }) => jobId === job.id);
const over = (job: TestJob) =>
  until(`${job.type} is over`, () => /finished|failed/.test(execution(job)?.status ?? ""), 60_000);

describe("mng on a Nuon control plane", () => {
  test("beats as `mng` beside the runner, which it starts under the same id as `install`", async () => {
    const processes = () =>
      new Set(server.of("POST /v1/runners/*/heart-beats").map(({ body }) => JSON.parse(body.toString()).process));
    await until("both beat", () => processes().has("mng") && processes().has("install"));
    expect([...processes()].sort()).toEqual(["install", "mng"]);
  });

  test("mng-runner-restart ends finished once the runner is another process and connected", async () => {
    const before = runner()?.pid;
    const job = managed("mng-runner-restart");
    await over(job);
    expect(execution(job)?.status).toBe("finished");
    expect(runner()?.pid).not.toBe(before);
    expect(runner()?.ready).toBe(true);
  });

  test("mng-runner-update-version fails with the reason where nothing was installed that could be updated", async () => {
    server.settings.container_image_tag = "v9.0.0";
    const job = managed("mng-runner-update-version");
    await over(job);
    expect(execution(job)?.status).toBe("failed");
    // The server drops results of errors; what was sent counts.
    const sent = server.of("POST /v1/runner-jobs/*/executions/*/result").at(-1)?.body.toString();
    expect(sent).toContain("only what install.sh has installed can be updated");
    expect(runner()?.ready).toBe(true);
  });

  test("mng-vm-shut-down without `shutdown_type: vm` does nothing, as Nuon's own process", async () => {
    const job = managed("mng-vm-shut-down");
    await over(job);
    expect(execution(job)?.status).toBe("finished");
    expect(mng.alive()).toBe(true);
    expect(existsSync(bed.path("off"))).toBe(false);
  });

  test("mng-shut-down: execution finished, then the job, then the process ends with 0; the runner stays", async () => {
    const before = runner()?.pid;
    const job = managed("mng-shut-down");
    expect(await mng.exited).toBe(0);
    expect([execution(job)?.status, job.status]).toEqual(["finished", "finished"]);
    expect(execution(job)?.statuses.at(-1)).toBe("finished");
    expect(runner()?.pid).toBe(before);
    start();
  });

  test("mng-vm-shut-down of a vm: the job is finished before the machine is powered off", async () => {
    await until("mng is back", () => presenceOf(bed.path("state/mng"))?.ready, 60_000);
    const job = managed("mng-vm-shut-down", { metadata: { shutdown_type: "vm" } });
    expect(await mng.exited).toBe(0);
    expect([execution(job)?.status, job.status, existsSync(bed.path("off"))]).toEqual(["finished", "finished", true]);
  });
});
