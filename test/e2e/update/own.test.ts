import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { until } from "../../faults/lib/processes.ts";
import { releasesOfTheRun, removeReleases, startUpdateBed, type UpdateBed } from "./update-bed.ts";

setDefaultTimeout(120_000);
const LIMIT = 60_000;

let host: UpdateBed;
beforeAll(async () => {
  host = await startUpdateBed(releasesOfTheRun());
  host.keepLone();
  await connected("1.0.0");
});
afterAll(async () => {
  await host?.end();
  removeReleases();
});

const connected = (version: string) => until(`${version} runs`, () => host.connected() === version, LIMIT);

describe("a runner that no mng looks after", () => {
  test("puts the version of its settings in place at an `update-version` job, and ends for it", async () => {
    const before = host.runnerPid();
    await host.want("2.0.0", host.runnerId);
    expect((await host.control.ended(await host.job("update-version", host.runnerId))).status).toBe("finished");
    await connected("2.0.0");
    expect(host.runnerPid()).not.toBe(before);
    await until(
      "it counts as healthy",
      () => host.log().includes("the runner was updated version=2.0.0 from=1.0.0"),
      LIMIT,
    );
  });

  test("stays as it is when the version cannot be had, and the job says why", async () => {
    const before = host.runnerPid();
    await host.want("4.0.0", host.runnerId);
    const doc = await host.control.ended(await host.job("update-version", host.runnerId));
    expect([doc.status, doc.reason]).toEqual(["failed", expect.stringContaining("there is no version 4.0.0")]);
    expect([host.runnerPid(), host.current()]).toEqual([before, "2.0.0"]);
  });

  test("is back at its version after a new one was started three times in vain", async () => {
    await host.want("3.0.0-exits", host.runnerId);
    await host.job("update-version", host.runnerId);
    await until(
      "it was rolled back",
      () => host.log().includes("an update was rolled back version=3.0.0-exits"),
      LIMIT,
    );
    await connected("2.0.0");
    expect(host.current()).toBe("2.0.0");
    const told = () => host.told("update-rolled-back", host.runnerId);
    await until("the coordinator knows", async () => (await told()).length > 0, LIMIT);
    expect(await told()).toEqual([expect.stringMatching(/^2.0.0 → 3.0.0-exits \(asked by job.*started 3 times/)]);
  });
});
