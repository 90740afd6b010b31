import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { engineMissing } from "../../bed/engines.ts";
import { nestedPodmanMissing, podmanMounts, setUpPodman } from "../../bed/nested-podman.ts";
import { registryMissing } from "../../bed/registry.ts";
import { until } from "../../faults/lib/processes.ts";
import { type ServiceBed, serviceMissing, startServiceBed } from "../service/service-bed.ts";
import { type Fault, type ImageBed, startImageBed } from "./image-bed.ts";
import { releasesOfTheRun, removeReleases } from "./update-bed.ts";

setDefaultTimeout(180_000);
const LIMIT = 90_000;
const skip = (engineMissing("podman") ?? registryMissing()) !== null && process.env.CI !== "true";

let host: ImageBed;
beforeAll(async () => {
  if (skip) return;
  host = await startImageBed(releasesOfTheRun());
  host.keep();
  await runs("1.0.0");
});
afterAll(async () => {
  await host?.end();
  removeReleases();
});

const runs = (version: string) =>
  until(`${version} runs`, () => host.connected() === version && host.journal().open === null, LIMIT);
const pinned = (version: string) => `${host.repository}:${version}@${host.digest(version)}`;

describe.skipIf(skip)("a runner that is an image", () => {
  test("is updated to the tag of the settings once its jobs have ended, and pinned to the digest of that tag", async () => {
    const first = `${host.repository}:1.0.0`;
    const gate = join(host.stateDir, "gate");
    const seen = "/var/lib/runner/install/gate";
    const file = host.bed.path("held.yaml");
    const script = `touch ${seen}.begun; while [ ! -e ${seen} ]; do sleep 0.2; done; echo answer=42 >> "$RUNNER_OUTPUT"`;
    writeFileSync(
      file,
      `type: actions-workflow\nname: held\nspec:\n  steps:\n    - name: wait\n      run: |\n        ${script}\n`,
    );
    const job = await host.control.submit(file, host.runnerId);
    await until("it works", () => existsSync(`${gate}.begun`), LIMIT);
    await host.want("2.0.0");
    await until("it drains", () => host.journal().open?.phase === "stop" && host.connected() === null, LIMIT);
    writeFileSync(gate, "");
    const doc = await host.control.ended(job);
    expect([doc.status, doc.executions.length, doc.outputs?.answer]).toEqual(["finished", 1, "42"]);
    await runs("2.0.0");
    expect(host.use()).toEqual({ current: pinned("2.0.0"), previous: first, older: [] });
    expect(statSync(host.imageFile).mode & 0o777).toBe(0o600);
    const status = await host.cli({}, "status", "--json");
    expect(JSON.parse(status.stdout)).toMatchObject({
      current: pinned("2.0.0"),
      previous: first,
      runner: { ready: true },
      last: { outcome: "updated", cause: "settings" },
    });
  });

  test("that never gets healthy is rolled back at its deadline, removed, and not tried again by itself", async () => {
    await host.stopMng();
    host.keep({ RUNNER_UPDATE_DEADLINE: "3s" });
    const before = host.use();
    await until("mng works", () => host.mngPid() !== null, LIMIT);
    await host.want("3.0.0-hangs");
    await until("it is rolled back", () => host.journal().last?.outcome === "rolled-back", LIMIT);
    await runs("2.0.0");
    await until("its image is gone", () => host.use().older.length === 0, LIMIT);
    expect(host.use()).toEqual(before);
    expect(host.journal()).toMatchObject({
      last: {
        version: pinned("3.0.0-hangs"),
        reason: expect.stringMatching(/^it was not ready within 3 s .* runs again/),
      },
      bad: [{ version: pinned("3.0.0-hangs") }],
    });
    expect(() => host.podman.run("image", "inspect", pinned("3.0.0-hangs"))).toThrow();
    await until("it says so", () => host.log().includes("it is not tried again by itself"), LIMIT);
  });

  test("stays as it is when somebody moves the tag; whoever asks for the tag by hand gets what it names now", async () => {
    await host.stopMng();
    await host.forget();
    const [before, pid] = [host.use(), host.runnerPid()];
    const first = pinned("2.0.0");
    host.publishMore("2.0.0", "2.0.0");
    await host.want("2.0.0");
    host.keep();
    await until("mng is connected", mngIsConnected, LIMIT);
    const [mng, job] = [host.mngPid(), await host.job("mng-shut-down")];
    expect((await host.control.ended(job)).status).toBe("finished");
    await until("another mng is connected", async () => host.mngPid() !== mng && (await mngIsConnected()), LIMIT);
    expect([host.use(), host.runnerPid()]).toEqual([before, pid]);
    expect((await host.cli({}, "update", "2.0.0")).stdout).toBe(`updated from ${first} to ${pinned("2.0.0")}\n`);
    expect(host.use()).toMatchObject({ current: pinned("2.0.0"), previous: first });
    expect((await host.cli({}, "rollback", "--reason", "it was moved")).code).toBe(0);
    await until("the first one is back", () => host.use().current === first && host.connected() !== null, LIMIT);
  });
});

const mngIsConnected = async () => JSON.parse((await host.cli({}, "status", "--json")).stdout).mng?.ready === true;

interface Refusal {
  readonly wanted: string;
  readonly says: string;
  readonly fault?: Fault;
  readonly env?: Record<string, string>;
}

const REFUSALS: Record<string, Refusal> = {
  "the registry is away": { wanted: "9.0.0", fault: "away", says: "cannot be reached" },
  "there is no such tag": { wanted: "9.0.0", says: "has no such image" },
  "there is no such digest": { wanted: `2.0.0@sha256:${"0".repeat(64)}`, says: "has no such image with this digest" },
  "what came is not what the digest says": {
    wanted: "3.0.0-hangs",
    fault: "tampered",
    says: "is not what its digest says",
  },
  "it is another repository": {
    wanted: "127.0.0.1:9/other/runner:2.0.0",
    says: "the image 127.0.0.1:9/other/runner is asked for, this machine takes ",
  },
  "it is another version than its tag says": { wanted: "4.0.0", says: "it says that it is 1.0.0" },
  "it is no runner": { wanted: "5.0.0", says: 'it says that it is "a shop"' },
  "it is for another platform": { wanted: "6.0.0", says: "this machine is linux/" },
  "its tools were to live on, which those in a container do not": {
    wanted: "3.0.0-hangs",
    env: { RUNNER_UPDATE_WHEN: "reattach" },
    says: "the tools in a container end with it, only drain is possible",
  },
};

describe.skipIf(skip)("an image is refused, and what runs is left alone, when", () => {
  beforeAll(async () => {
    if (skip) return;
    await host.stopMng();
    await host.forget();
  });
  for (const [what, { wanted, says, fault = "none", env = {} }] of Object.entries(REFUSALS)) {
    test(what, async () => {
      const before = [host.use().current, host.use().previous, host.runnerPid()];
      host.fault = fault;
      const asked = wanted === "3.0.0-hangs" && fault === "tampered" ? `${wanted}@${host.digest(wanted)}` : wanted;
      const { code, stdout, stderr } = await host.cli(env, "update", asked);
      host.fault = "none";
      expect([code === 0, stdout + stderr]).toEqual([false, expect.stringContaining(says)]);
      expect([host.use().current, host.use().previous, host.runnerPid()]).toEqual(before);
    });
  }

  test("there is no space for it", async () => {
    const small = host.bed.path("small");
    mkdirSync(small);
    expect(Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "nr_inodes=1", "none", small]).exitCode).toBe(0);
    try {
      host.publishMore("2.0.0", "2.0.0-b");
      const { code, stdout } = await host.cli({ TMPDIR: small }, "update", "2.0.0-b");
      expect([code, stdout]).toEqual([1, expect.stringContaining("the disk of the engine's store is full")]);
    } finally {
      Bun.spawnSync(["umount", "-l", small]);
    }
  });
});

/** Places of the journal where a kill is tried: before and after whatever a step changes. */
const FORTH = ["staged", "stopped", "switched", "started", "judged"];
const BACK = ["back.switched"];

describe.skipIf(skip)("mng killed with SIGKILL in an update of an image", () => {
  for (const place of FORTH) {
    test(`at ${place}: the next one brings it to its end, and the new image runs`, async () => {
      const next = host.use().current === pinned("2.0.0-b") ? "2.0.0-c" : "2.0.0-b";
      if (next === "2.0.0-c" && host.digest(next) === "") host.publishMore("2.0.0", next);
      await host.forget();
      await host.want(next);
      expect(await host.mng({ RUNNER_FAILPOINT: `mng.${place}` }).exited).toBe(137);
      host.keep();
      await until(`${next} runs`, () => host.journal().last?.version === pinned(next), LIMIT);
      await runs("2.0.0");
      expect([host.use().current, host.journal().last?.outcome]).toEqual([pinned(next), "updated"]);
    });
  }

  for (const place of BACK) {
    test(`at ${place} of a rollback: the next one goes all the way back, and the old image runs`, async () => {
      await host.forget();
      const before = host.use().current;
      await host.want("3.0.0-hangs");
      const life = host.mng({ RUNNER_FAILPOINT: `mng.${place}`, RUNNER_UPDATE_DEADLINE: "1s" });
      expect(await life.exited).toBe(137);
      host.keep();
      await until("it is over", () => host.journal().last?.outcome === "rolled-back", LIMIT);
      await runs("2.0.0");
      expect(host.use().current).toBe(before);
    });
  }
});

const skipUnit = skip || ((serviceMissing ?? nestedPodmanMissing()) !== null && process.env.CI !== "true");

describe.skipIf(skipUnit)("the unit of an image under a real systemd, with podman", () => {
  const UNIT = "runner-image.service";
  let machine: ServiceBed;
  const from = () => `${host.repository}:2.0.0`;
  const status = async () => JSON.parse((await machine.runner("service", "status", "--json")).stdout);
  const imageFile = () => machine.vm.readFile("/etc/runner/image.env");
  const setMng = async (more: Record<string, string>) => {
    const lines = Object.entries(more).map(([name, value]) => `${name}=${value}\n`);
    await machine.vm.write("/etc/runner/runner-mng.env", lines.join(""), "0600");
  };
  let mng: Record<string, string> = {};

  beforeAll(async () => {
    await host.stopMng();
    const store = host.bed.path("containers");
    mkdirSync(store);
    // As on a machine: an image is tried in a network of its own, and mng reads what the image's user has written.
    const caps = ["NET_ADMIN", "DAC_READ_SEARCH"];
    machine = await startServiceBed([...podmanMounts(), `${store}:/var/lib/containers`], caps);
    await setUpPodman(machine.vm);
    await machine.configure();
    const own = await machine.control.createRunner("mng");
    mng = {
      RUNNER_ID: own.id,
      RUNNER_API_TOKEN: own.token,
      RUNNER_UPDATE_KIND: "image",
      RUNNER_UPDATE_SETTLE: "300ms",
      RUNNER_UPDATE_DEADLINE: "90s",
    };
  });
  afterAll(() => machine?.end());

  test("`service install --runtime podman` starts it once an image is named, and `service status` tells its session", async () => {
    await machine.runner("service", "install", "--no-start");
    await machine.vm.run("systemctl", "enable", "runner.service");
    const waits = await machine.runner("service", "install", "--runtime", "podman");
    expect([waits.code, waits.stdout]).toEqual([0, expect.stringContaining("fill in /etc/runner/image.env")]);
    await machine.vm.write("/etc/runner/image.env", `RUNNER_IMAGE=${from()}\n`, "0600");
    const started = await machine.runner("service", "install", "--runtime", "podman");
    expect([started.stderr, started.stdout]).toEqual(["", expect.stringContaining(`${UNIT} was started`)]);
    const waited = await machine.runner("service", "status", "--wait", "120", "--json");
    expect([waited.code, waited.stderr]).toEqual([0, ""]);
    expect(JSON.parse(waited.stdout)).toMatchObject({
      unit: UNIT,
      enabled: true,
      connected: true,
      version: "2.0.0",
      image: from(),
    });
    expect(await machine.show("runner.service", "UnitFileState")).toBe("disabled");
    const other = await machine.runner("service", "install");
    expect([other.code, other.stderr]).toEqual([2, expect.stringContaining("is an image already")]);
    const again = await machine.runner("service", "install", "--runtime", "podman");
    expect(again.stdout).toBe(`nothing to write: everything is as it should be\n${UNIT} runs\n`);
  });

  test("systemd has nothing to say against the units of podman and docker", async () => {
    await machine.vm.write("/usr/bin/docker", "#!/bin/sh\n", "0755");
    await machine.vm.write("/etc/systemd/system/docker.service", "[Service]\nExecStart=/usr/bin/true\n");
    for (const engine of ["podman", "docker"]) {
      const path = `/root/${engine}/${UNIT}`;
      await machine.vm.write(path, (await machine.runner("service", "print", "--runtime", engine)).stdout);
      const verified = await machine.vm.exec("systemd-analyze", "verify", path);
      expect([engine, verified.code, verified.stderr]).toEqual([engine, 0, ""]);
    }
    await machine.vm.run("rm", "/usr/bin/docker", "/etc/systemd/system/docker.service");
  });

  test("mng in its sandbox brings another image once the unit's stop has let the running job end", async () => {
    host.publishMore("2.0.0", "2.0.0-d");
    await setMng(mng);
    await machine.runner("service", "install", "--mode", "mng");
    await machine.connected("runner-mng.service");
    const gate = "/var/lib/runner/image/gate";
    const script = 'touch $G.begun; while [ ! -e $G ]; do sleep 0.2; done; echo answer=42 >> "$RUNNER_OUTPUT"';
    const job = await machine.submit(
      "held",
      `type: actions-workflow\nname: held\nspec:\n  env: { G: /var/lib/runner/install/gate }\n  steps:\n    - name: wait\n      run: |\n        ${script}\n`,
    );
    await until("it works", async () => (await machine.vm.exec("test", "-e", `${gate}.begun`)).code === 0, LIMIT);
    const asked = machine.runner("mng", "update", "2.0.0-d");
    try {
      await until("it drains", async () => (await status()).state.startsWith("deactivating"), LIMIT);
    } finally {
      await machine.vm.run("touch", gate);
    }
    const doc = await machine.control.ended(job);
    expect([doc.status, doc.executions.length, doc.outputs?.answer]).toEqual(["finished", 1, "42"]);
    expect(await asked).toMatchObject({ code: 0, stdout: `updated from ${from()} to ${pinned("2.0.0-d")}\n` });
    expect(await imageFile()).toContain(`RUNNER_IMAGE=${pinned("2.0.0-d")}\nRUNNER_IMAGE_PREVIOUS=${from()}\n`);
    expect(await status()).toMatchObject({ connected: true, image: pinned("2.0.0-d") });
  });

  test("a bad image is rolled back, and the one before is connected again", async () => {
    await setMng({ ...mng, RUNNER_UPDATE_DEADLINE: "3s" });
    await machine.vm.run("systemctl", "restart", "runner-mng.service");
    await machine.connected("runner-mng.service");
    const bad = await machine.runner("mng", "update", "3.0.0-hangs");
    expect([bad.code, bad.stdout]).toEqual([1, expect.stringContaining(`${pinned("3.0.0-hangs")} was rolled back`)]);
    expect((await machine.runner("service", "status", "--wait", "120")).code).toBe(0);
    expect(await status()).toMatchObject({ version: "2.0.0", image: pinned("2.0.0-d") });
  });

  test("doctor finds it well; what can be wrong with it is told, and the remedy works", async () => {
    const doctor = async () => {
      const { stdout } = await machine.runner("doctor", "--json");
      const found: { check: string; status: string; text: string; remedy: string | null }[] =
        JSON.parse(stdout).findings;
      return found.filter(({ check }) => ["service", "settings file", "token file"].includes(check));
    };
    expect(await doctor()).toMatchObject([
      { check: "service", status: "ok", text: expect.stringContaining(`connected, image ${pinned("2.0.0-d")}`) },
      { check: "settings file", status: "ok" },
      { check: "token file", status: "ok" },
    ]);
    const harms = {
      "sed -i s/UPDATE_KIND/UPDATE_WORD/ /etc/runner/runner-mng.env": "looks after a program",
      "systemctl enable runner.service": "one of the two ends the other",
      [`sed -i 's/^Restart=always/Restart=no/' /etc/systemd/system/${UNIT}`]: "not as this version of the program",
      "sed -i -E 's/^RUNNER_ID=(.*)/RUNNER_ID=\"\\1\"/' /etc/runner/runner.env": "has values in quotes",
    };
    await machine.vm.run("sh", "-ec", Object.keys(harms).join("\n"));
    const sick = (await doctor()).filter((one) => one.status !== "ok");
    const about = Object.values(harms).map((text) => sick.find((one) => one.text.includes(text)));
    expect([sick.length, about.includes(undefined)]).toEqual([about.length, false]);
    for (const one of about) await machine.vm.run("sh", "-ec", /`([^`]+)`/.exec(one?.remedy ?? "")?.[1] ?? "false");
    expect((await machine.runner("service", "status", "--wait", "120")).code).toBe(0);
    expect((await doctor()).map((one) => one.status)).toEqual(["ok", "ok", "ok"]);
  });

  test("`service uninstall` ends the container and takes the unit away; it leaves settings and state", async () => {
    const gone = await machine.runner("service", "uninstall");
    expect(gone.stdout).toContain(`runner-mng.service, ${UNIT}, runner.service: gone`);
    expect(await machine.vm.run("podman", "ps", "-q")).toBe("");
    expect(await imageFile()).toContain(pinned("2.0.0-d"));
    expect((await machine.vm.exec("test", "-s", "/var/lib/runner/image/process.json")).code).toBe(1);
    expect((await machine.vm.exec("test", "-e", "/var/lib/runner/image/journal.db")).code).toBe(0);
  });
});
