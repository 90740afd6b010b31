import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Engine } from "../../bed/engines.ts";
import { type Registry, registryMissing, startRegistry } from "../../bed/registry.ts";
import { BUSYBOX, containerJob, left, skipEngine, startEngine } from "./bed.ts";

const JOBS = 20;

for (const name of ["podman", "docker"] as const) {
  describe.skipIf(skipEngine(name))(`many containers at once by ${name}`, () => {
    let engine: Engine;
    beforeAll(async () => {
      engine = await startEngine(name);
    }, 60_000);
    afterAll(() => engine?.end());

    test("run side by side: each waits for all the others and still ends", async () => {
      const shared = mkdtempSync(join(tmpdir(), "many-"));
      mkdirSync(join(shared, "here"), { mode: 0o777 });
      const profiles = JSON.stringify({
        profiles: { meet: { user: "image", mounts: [{ from: join(shared, "here"), to: "/here", writable: true }] } },
      });
      // Ends only when every container is there at the same time: one that waited for another would wait for ever.
      const code = `touch /here/$ME; until [ "$(ls /here | wc -l)" -eq ${JOBS} ]; do sleep 0.1; done; echo all`;
      const jobs = Array.from({ length: JOBS }, (_, index) =>
        containerJob(
          engine,
          { command: ["sh", "-c", code], env_vars: { ME: `job-${index}` }, profile: "meet" },
          { profiles, wishes: { resources: { cpu: 1, memory_bytes: 16 * 2 ** 20 } }, executionId: `many${index}` },
        ),
      );
      const outcomes = await Promise.all(jobs.map((job) => job.run()));
      expect(outcomes.map(({ status, reason }) => `${status}${reason}`)).toEqual(jobs.map(() => "finished"));
      for (const job of jobs) job.end();
      rmSync(shared, { recursive: true, force: true });
      expect(left(engine)).toEqual([]);
    }, 120_000);
  });
}

const mountable = (() => {
  const probe = mkdtempSync(join(tmpdir(), "mount-probe-"));
  const able = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", probe]).success;
  if (able) Bun.spawnSync(["umount", probe]);
  rmSync(probe, { recursive: true });
  return able;
})();
const unable = skipEngine("podman") || ((registryMissing() !== null || !mountable) && process.env.CI !== "true");

describe.skipIf(unable)("a store on a full disk", () => {
  let registry: Registry;
  let engine: Engine;
  const folder = mkdtempSync(join(tmpdir(), "small-store-"));
  beforeAll(async () => {
    registry = await startRegistry();
    engine = await startEngine("podman");
    engine.run("tag", BUSYBOX, `${registry.host}/app:1`);
    engine.run("push", "--tls-verify=false", `${registry.host}/app:1`);
    Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]);
  }, 60_000);
  afterAll(async () => {
    for (const mount of [join(folder, "root", "overlay"), folder]) Bun.spawnSync(["umount", "-l", mount]);
    rmSync(folder, { recursive: true, force: true });
    await engine?.end();
    await registry?.end();
  });

  test("fails the job with that reason and what to do", async () => {
    const conf = join(folder, "storage.conf");
    const [root, run] = [join(folder, "root"), join(folder, "run")];
    writeFileSync(conf, `[storage]\ndriver="vfs"\ngraphroot="${root}"\nrunroot="${run}"\n`);
    const env = { ...engine.env, CONTAINERS_STORAGE_CONF: conf };
    const job = containerJob({ ...engine, env }, { image: `${registry.host}/app:1`, command: ["true"] });
    const { status, reason, remedy } = await job.run();
    job.end();
    expect([status, reason]).toEqual(["failed", expect.stringContaining("the disk of the engine's store is full")]);
    expect(remedy).toContain("podman system df");
  }, 60_000);
});
