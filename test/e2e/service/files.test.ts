import { afterAll, expect, test } from "bun:test";
import { existsSync, lstatSync, mkdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { makeBed } from "../../faults/lib/processes.ts";

const bed = makeBed();
afterAll(() => bed.end());
const runner = (...args: string[]) => bed.run(["service", ...args]);

test("`service print` gives each format as one text, and all files with relaxations", async () => {
  expect((await runner("print")).stdout).toContain("\nKillMode=process\n");
  expect((await runner("print", "--mode", "mng")).stdout).toContain("run --mode mng");
  expect((await runner("print", "--format", "rcd")).stdout).toStartWith("#!/bin/ksh\n");
  expect((await runner("print", "--format", "launchd")).stdout).toStartWith("<?xml");
  const two = await runner("print", "--with", "docker");
  expect(two.stdout).toContain("# /etc/systemd/system/runner.service.d/docker.conf\n");
  const { files } = JSON.parse((await runner("print", "--with", "docker,home", "--json")).stdout);
  expect(files.map((file: { path: string }) => file.path)).toEqual([
    "/etc/systemd/system/runner.service",
    "/etc/systemd/system/runner.service.d/docker.conf",
    "/etc/systemd/system/runner.service.d/home.conf",
  ]);
});

const refused: readonly (readonly [string, readonly string[], string])[] = [
  ["a relaxation that there is not", ["print", "--with", "dokcer"], "Did you mean docker?"],
  ["a relaxation without a sandbox", ["print", "--with", "docker", "--format", "rcd"], "has no sandbox to relax"],
  ["an instance with the name of a mode", ["print", "--instance", "mng"], "is no name for a runner"],
  ["an instance that would leave its folder", ["print", "--instance", "../x"], "Lower case letters"],
  ["instances of the supervisor", ["print", "--mode", "mng", "--instance", "a"], "has no instances"],
  ["a prefix that the sandbox hides", ["print", "--prefix", "/home/ann"], "Install into /usr/local or /opt."],
  [
    "relaxations of an image",
    ["install", "--runtime", "podman", "--with", "gpu"],
    "is for the one runner of a machine",
  ],
  ["instances of an image", ["print", "--runtime", "docker", "--instance", "a"], "is for the one runner of a machine"],
  ["seconds without --wait", ["status", "30"], "Write `--wait SECONDS`"],
];
for (const [what, args, remedy] of refused) {
  test(`${what} is refused with what to do`, async () => {
    const { code, stderr } = await runner(...args);
    expect([code, stderr]).toEqual([2, expect.stringContaining(remedy)]);
  });
}

test("in an image `install --root` lays everything out, changes nothing the second time, and `uninstall` takes it away", async () => {
  const root = bed.path("image");
  const first = await runner("install", "--root", root);
  expect([first.code, first.stderr]).toEqual([2, expect.stringContaining("Run install.sh first")]);
  expect(existsSync(`${root}/etc`)).toBe(false);
  mkdirSync(`${root}/usr/local/bin`, { recursive: true });
  writeFileSync(`${root}/usr/local/bin/runner`, "", { mode: 0o755 });
  expect((await runner("install", "--root", root, "--with", "limits")).code).toBe(0);
  const wants = `${root}/etc/systemd/system/multi-user.target.wants/runner.service`;
  expect(readlinkSync(wants)).toBe("/etc/systemd/system/runner.service");
  expect(statSync(`${root}/etc/systemd/system/runner.service`).mode & 0o777).toBe(0o644);
  expect(statSync(`${root}/etc/runner/runner.env`).mode & 0o777).toBe(0o600);
  expect(readFileSync(`${root}/etc/sysusers.d/runner.conf`, "utf8")).toContain("\nu runner - ");
  expect(existsSync(`${root}/etc/systemd/system/runner.service.d/limits.conf`)).toBe(true);
  writeFileSync(`${root}/etc/runner/runner.env`, "RUNNER_ID=mine\n");
  expect(JSON.parse((await runner("install", "--root", root, "--json")).stdout)).toMatchObject({ changed: [] });
  expect((await runner("uninstall", "--root", root)).stdout).toContain("runner.service: gone");
  expect(lstatSync(wants, { throwIfNoEntry: false })).toBeUndefined();
  expect(existsSync(`${root}/etc/systemd/system/runner.service.d`)).toBe(false);
  expect(existsSync(`${root}/etc/sysusers.d/runner.conf`)).toBe(false);
  expect(readFileSync(`${root}/etc/runner/runner.env`, "utf8")).toBe("RUNNER_ID=mine\n");
});

test("the same for a runner that is an image, without the program and its account", async () => {
  const root = bed.path("image-of-podman");
  const install = ["install", "--root", root, "--runtime", "podman"];
  const first = await runner(...install);
  expect([first.code, first.stderr]).toEqual([2, expect.stringContaining("Install podman first")]);
  expect(existsSync(`${root}/etc`)).toBe(false);
  mkdirSync(`${root}/usr/bin`, { recursive: true });
  writeFileSync(`${root}/usr/bin/podman`, "", { mode: 0o755 });
  expect((await runner(...install)).code).toBe(0);
  const wants = `${root}/etc/systemd/system/multi-user.target.wants/runner-image.service`;
  expect(readlinkSync(wants)).toBe("/etc/systemd/system/runner-image.service");
  const settings = ["runner.env", "image.env"].map((name) => `${root}/etc/runner/${name}`);
  expect(settings.map((path) => statSync(path).mode & 0o777)).toEqual([0o600, 0o600]);
  writeFileSync(settings[1] ?? "", "RUNNER_IMAGE=mine\n");
  expect(JSON.parse((await runner(...install, "--json")).stdout)).toMatchObject({ changed: [] });
  expect((await runner("uninstall", "--root", root)).stdout).toContain("runner-image.service: gone");
  expect(lstatSync(wants, { throwIfNoEntry: false })).toBeUndefined();
  expect(readFileSync(settings[1] ?? "", "utf8")).toBe("RUNNER_IMAGE=mine\n");
});

test("a relaxation for a program that the machine does not have is refused before anything is written", async () => {
  const root = bed.path("bare");
  mkdirSync(`${root}/usr/local/bin`, { recursive: true });
  writeFileSync(`${root}/usr/local/bin/runner`, "", { mode: 0o755 });
  const { code, stderr } = await runner("install", "--root", root, "--with", "docker");
  expect([code, stderr]).toEqual([2, expect.stringContaining("there is no group docker on this machine")]);
  expect(existsSync(`${root}/etc`)).toBe(false);
});

test.skipIf(existsSync("/run/systemd/system"))("without systemd `install` says what there is instead", async () => {
  const { code, stderr } = await runner("install");
  expect([code, stderr]).toEqual([2, expect.stringContaining("runner service print --format rcd")]);
});
