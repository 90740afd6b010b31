import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { until } from "../../faults/lib/processes.ts";
import { type ServiceBed, skipService, startServiceBed } from "../service/service-bed.ts";
import { releasesOfTheRun, removeReleases } from "./update-bed.ts";

setDefaultTimeout(120_000);
const LIMIT = 90_000;
const LIB = "/usr/local/lib/runner";
/** In the state directory: the runner's /tmp is its own. */
const GATE = "/var/lib/runner/install/gate";

let host: ServiceBed;
let mngId: string;

const current = async () => (await host.vm.run("readlink", `${LIB}/current`)).trim();
const status = async () => JSON.parse((await host.runner("mng", "status", "--json")).stdout);
/** Not asked of the program: the one that the links name may be a bad one. */
const last = async () => JSON.parse(await host.vm.readFile("/var/lib/runner/mng/update.json")).last;
const want = async (version: string) => {
  const answer = await fetch(`${host.control.url}/api/v1/runners/${mngId}/settings`, {
    method: "PATCH",
    headers: { authorization: `Bearer ${host.control.admin().RUNNER_ADMIN_KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ settings: { container_image_tag: version } }),
  });
  expect(answer.status).toBe(200);
};

describe.skipIf(skipService)("mng under a real systemd", () => {
  beforeAll(async () => {
    const releases = releasesOfTheRun();
    host = await startServiceBed([`${releases.root}:/opt/releases:ro`]);
    await host.vm.run(
      "sh",
      "-ec",
      `rm -r ${LIB}/versions/*; mkdir ${LIB}/versions/1.0.0; cp /opt/releases/built-1.0.0 ${LIB}/versions/1.0.0/runner; ln -sfn versions/1.0.0 ${LIB}/current`,
    );
    await host.configure();
    const mng = await host.control.createRunner("mng");
    mngId = mng.id;
    const settings = {
      RUNNER_ID: mng.id,
      RUNNER_API_TOKEN: mng.token,
      RUNNER_RELEASE_URL: "/opt/releases/releases",
      RUNNER_PUBLIC_KEY: "/opt/releases/release.pub",
      RUNNER_UPDATE_WHEN: "reattach",
      RUNNER_UPDATE_SETTLE: "1s",
    };
    const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
    await host.vm.write("/etc/runner/runner-mng.env", lines.join(""), "0600");
    await host.runner("service", "install");
    await host.runner("service", "install", "--mode", "mng");
    await host.connected("runner.service");
    await host.connected("runner-mng.service");
  });
  afterAll(async () => {
    await host?.end();
    removeReleases();
  });

  test("follows the settings to a new version: the job that runs goes on, mng is new too", async () => {
    const job = await host.submit(
      "held",
      `type: actions-workflow\nname: held\nspec:\n  steps:\n    - name: wait\n      run: |\n        touch ${GATE}.begun\n        while [ ! -e ${GATE} ]; do sleep 0.2; done\n        echo "answer=42" >> "$RUNNER_OUTPUT"\n`,
    );
    await until("it works", async () => (await host.vm.exec("test", "-e", `${GATE}.begun`)).code === 0, LIMIT);
    const before = await host.pid("runner.service");
    await want("2.0.0");
    await until("it is updated", async () => (await last().catch(() => null))?.outcome === "updated", LIMIT);
    expect(await current()).toBe("versions/2.0.0");
    expect(await host.pid("runner.service")).not.toBe(before);
    expect(await status()).toMatchObject({ previous: "1.0.0", mng: { version: "2.0.0" }, runner: { ready: true } });
    await host.vm.run("touch", GATE);
    const doc = await host.control.ended(job);
    expect([doc.status, doc.executions.length, doc.outputs?.answer]).toEqual(["finished", 1, "42"]);
    // Whatever the umask of the service: the runner's user starts it.
    expect(await host.vm.run("stat", "-c", "%a", `${LIB}/versions/2.0.0`, `${LIB}/versions/2.0.0/runner`)).toBe(
      "755\n755\n",
    );
  });

  test("a version that ends at once is rolled back, and the journal of the machine says so", async () => {
    await want("3.0.0-exits");
    await until("it is rolled back", async () => (await last())?.outcome === "rolled-back", LIMIT);
    await host.connected("runner.service");
    expect(await current()).toBe("versions/2.0.0");
    const said = await host.vm.run("journalctl", "-u", "runner-mng.service", "-o", "cat", "--no-pager");
    expect(said).toContain("an update was rolled back version=3.0.0-exits from=2.0.0");
    expect((await host.runner("mng", "status")).code).toBe(1);
  });
});
