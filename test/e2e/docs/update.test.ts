import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { until } from "../../faults/lib/processes.ts";
import { releasesOfTheRun, removeReleases, startUpdateBed, type UpdateBed } from "../update/update-bed.ts";
import { makeCommands, runPage } from "./page-shell.ts";

setDefaultTimeout(120_000);
const LIMIT = 60_000;

let host: UpdateBed;
beforeAll(async () => {
  host = await startUpdateBed(releasesOfTheRun(), { RUNNER_UPDATE_WHEN: "drain" });
  makeCommands(host.bed, [join(host.prefix, "bin/runner")]);
  host.keep();
  await runs("1.0.0");
});
afterAll(async () => {
  await host?.end();
  removeReleases();
});

const runs = (version: string) =>
  until(`${version} runs`, () => host.connected() === version && host.journal().open === null, LIMIT);

test("docs/update.md: its commands do what it says, on a machine without systemd", async () => {
  const { PATH: _, ...settings } = host.settings;
  const env = { ...settings, ...host.control.admin(), RUNNER_STATE_DIR: host.bed.path("state/mng") };
  await runPage({ bed: host.bed, page: "docs/update.md", suite: "update", env }, async (shell) => {
    expect(await host.cli("update", "2.0.0")).toMatchObject({ code: 0 });
    await runs("2.0.0");
    expect(await shell.next()).toContain("updated from 2.0.0 to 1.0.0");
    await runs("1.0.0");

    await host.stopMng();
    const lib = join(host.prefix, "lib/runner");
    await shell.next({
      "/usr/local/lib/runner": lib,
      "/usr/local/bin": join(host.prefix, "bin"),
      "-dir DIR": `-dir ${host.bed.path("state/mng")}`,
    });
    await shell.stop();

    host.keep();
    await runs("1.0.0");
    expect(await shell.next({ "run…": host.mngId, "0.2.0": "2.0.0" })).toContain("updated from 1.0.0 to 2.0.0");
    await runs("2.0.0");
  });
});
