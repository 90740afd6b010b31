import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, chownSync, mkdtempSync, rmSync } from "node:fs";
import { type Engine, engineMissing, startDocker } from "../../bed/engines.ts";
import { type ServiceBed, skipService, startServiceBed } from "./service-bed.ts";

setDefaultTimeout(240_000);
const UNIT = "runner.service";
/** No group of this machine; the one called docker inside. */
const DOCKER_GID = 61_234;

let host: ServiceBed;
let docker: Engine;
/** At the same path outside: the engine looks for the files of a job there. */
let shared: string;

const skip = skipService || (engineMissing("docker") !== null && process.env.CI !== "true");

/** What a job can see and do; every answer is no under the default profile. */
const PROBES: Readonly<Record<string, string>> = {
  home: "cat /home/ann/notes",
  gains_rights: "sh -c 'test \"$(/usr/local/bin/whose -u)\" = 0'",
  namespace: "unshare --user true",
  device: "test -c /dev/nvidia0",
  control_group: "sh -c 'find /sys/fs/cgroup -type d -name runner.service -writable | grep -q .'",
};
const PROBE_JOB = `type: actions-workflow
name: probe
spec:
  steps:
    - name: look
      run: |
${Object.entries(PROBES)
  .map(
    ([name, probe]) =>
      `        if ${probe} >/dev/null 2>&1; then echo ${name}=yes; else echo ${name}=no; fi >> "$RUNNER_OUTPUT"`,
  )
  .join("\n")}
`;
const NOTHING = Object.fromEntries(Object.keys(PROBES).map((name) => [name, "no"]));
const CONTAINER = "type: container\nname: box\nspec: { image: 'localhost/bb:1', command: [echo, hello] }\n";

async function probed(name: string) {
  const ended = await host.control.ended(await host.submit(name, PROBE_JOB));
  const { steps, ...seen } = ended.outputs ?? {};
  return [ended.status, seen];
}

/** The service with these relaxations and no others. */
async function runsWith(names: string) {
  const installed = await host.runner("service", "install", "--with", names);
  expect([installed.stderr, installed.code]).toEqual(["", 0]);
  await host.vm.run("systemctl", "restart", UNIT);
  expect((await host.runner("service", "status", "--wait", "120")).code).toBe(0);
}

describe.skipIf(skip)("what a kind of job needs beyond the default profile is a drop-in with its name", () => {
  beforeAll(async () => {
    docker = await startDocker();
    const socket = String(docker.env.DOCKER_HOST).replace("unix://", "");
    const folder = socket.slice(0, socket.lastIndexOf("/"));
    // The folder of the test is closed; the socket itself says who may use it.
    chmodSync(folder, 0o711);
    chownSync(socket, 0, DOCKER_GID);
    shared = mkdtempSync("/srv/runner-service-");
    chmodSync(shared, 0o755);
    host = await startServiceBed([
      `${shared}:${shared}`,
      `${folder}:/srv/docker`,
      `${Bun.which("docker")}:/usr/bin/docker:ro`,
      "/dev/null:/dev/nvidia0",
    ]);
    const { vm } = host;
    await vm.run("sh", "-ec", SET_UP);
    await host.configure();
    const env = await vm.readFile("/etc/runner/runner.env");
    await vm.write(
      "/etc/runner/runner.env",
      `${env}DOCKER_HOST=unix:///srv/docker/d.sock\nRUNNER_STATE_DIR=${shared}/state\n`,
    );
    await vm.write("/etc/systemd/system/runner.service.d/site.conf", `[Service]\nReadWritePaths=${shared}\n`);
    await host.runner("service", "install", "--no-start");
    await vm.run("install", "-d", "-o", "runner", `${shared}/state`);
  });
  afterAll(async () => {
    await host?.end();
    await docker?.end();
    rmSync(shared, { recursive: true, force: true });
  });

  test("without any nothing of that is there, and a container job says which one it lacks", async () => {
    await runsWith("none");
    expect(await probed("default")).toEqual(["finished", NOTHING]);
    const refused = await host.control.ended(await host.submit("refused", CONTAINER));
    expect([refused.status, refused.reason]).toEqual(["failed", expect.stringContaining("docker does not answer")]);
    expect(await host.control.log(refused.jobs[0]?.id ?? "")).toContain("runner service install --with docker");
  });

  test("docker: the same container job runs", async () => {
    await runsWith("docker");
    const ended = await host.control.ended(await host.submit("box", CONTAINER));
    expect([ended.status, ended.reason]).toEqual(["finished", ""]);
    expect(await host.control.log(ended.jobs[0]?.id ?? "")).toContain("hello");
  });

  // Rootless podman itself, a GPU and the controllers of groups are not to be had in this container: what they need is.
  const rows: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
    ["home", { home: "yes" }],
    ["sudo", { gains_rights: "yes", namespace: "yes", device: "yes" }],
    ["podman", { namespace: "yes", gains_rights: "yes", device: "yes", control_group: "yes" }],
    ["gpu", { device: "yes" }],
    ["limits", { control_group: "yes" }],
  ];
  for (const [name, gained] of rows) {
    test(`${name}: ${Object.keys(gained).join(", ")}, and nothing else`, async () => {
      await runsWith(name);
      expect(await probed(name)).toEqual(["finished", { ...NOTHING, ...gained }]);
    });
  }

  test("what was given stays when nothing is said, and goes with `none`; a person's own drop-in is left alone", async () => {
    const dropIns = () => host.vm.run("ls", "/etc/systemd/system/runner.service.d");
    await host.runner("service", "install", "--no-start");
    expect(await dropIns()).toBe("limits.conf\nsite.conf\n");
    await host.runner("service", "install", "--no-start", "--with", "none");
    expect(await dropIns()).toBe("site.conf\n");
  });
});

const SET_UP = `
groupadd -g ${DOCKER_GID} docker
mkdir -p /home/ann
echo hers > /home/ann/notes
install -m 4755 /usr/bin/id /usr/local/bin/whose
`;
