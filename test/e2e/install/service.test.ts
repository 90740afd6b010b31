import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { signerOf } from "../../../scripts/lib/release-signing.ts";
import { BUN, ROOT } from "../../../scripts/lib/spawn.ts";
import { type SystemdHost, startSystemd } from "../../bed/systemd.ts";
import { type Control, startControl } from "../../faults/lib/control.ts";
import { type Bed, makeBed } from "../../faults/lib/processes.ts";
import { noInstallBed } from "./lib/install-bed.ts";
import { type ReleaseHost, startReleaseHost } from "./lib/release-host.ts";
import { writeRelease } from "./lib/releases.ts";

setDefaultTimeout(240_000);
const TARGET = process.arch === "arm64" ? "linux-arm64" : "linux-x64";

let bed: Bed;
let control: Control;
let vm: SystemdHost;
let host: ReleaseHost;
let runner: { id: string; token: string };
let installer: string;

/** As `npm run release` makes it, of what lies here now. */
async function release(version: string): Promise<void> {
  const flags = [
    "--target",
    TARGET,
    "--version",
    version,
    "--key",
    bed.path("release.key"),
    "--out",
    bed.path("releases", version),
  ];
  const child = Bun.spawn([BUN, "scripts/run.ts", "release", ...flags], {
    cwd: ROOT,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const said = await new Response(child.stderr).text();
  if ((await child.exited) !== 0) throw new Error(`npm run release: ${said}`);
}

/** Its own, which has the key in it; nothing else is said but where the releases are. */
const install = (version: string, ...more: string[]) =>
  vm.exec("env", ...more, "sh", installer, "--base-url", host.url, "--version", version);
const status = async () => JSON.parse((await vm.exec("runner", "service", "status", "--json")).stdout);

describe.skipIf(noInstallBed)("install.sh and the service of a machine", () => {
  beforeAll(async () => {
    bed = makeBed();
    control = await startControl(bed);
    runner = await control.createRunner("vm");
    const { privateKey } = generateKeyPairSync("ed25519");
    writeFileSync(bed.path("release.key"), privateKey.export({ format: "pem", type: "pkcs8" }), { mode: 0o600 });
    await Promise.all([release("5.0.0"), release("5.1.0")]);
    // Says its version, and never gets ready as a service; for the rest it is the one before.
    const bad = `#!/bin/sh\ncase $1 in version) echo 5.2.0 ;; run) exec sleep 3600 ;; *) exec /usr/local/lib/runner/versions/5.1.0/runner "$@" ;; esac\n`;
    const key = createPrivateKey(readFileSync(bed.path("release.key")));
    writeRelease(bed.path("releases", "5.2.0"), "5.2.0", signerOf(key), { program: bad });
    host = startReleaseHost(bed.path("releases"));
    chmodSync(bed.path(), 0o755);
    vm = await startSystemd({ mounts: [`${bed.path("releases")}:/opt/releases:ro`] });
    installer = "/opt/releases/5.0.0/install.sh";
  });
  afterAll(async () => {
    await vm?.end();
    await host?.end();
    await bed?.end();
  });

  test("without settings it sets the service up, starts nothing, and says what to fill in", async () => {
    const done = await install("5.0.0");
    expect(done.stderr).toBe("");
    expect(done.stdout).toContain("version 5.0.0 is installed and its service set up, but not started\n");
    expect(done.stdout).toContain("fill in /etc/runner/runner.env and /etc/runner/token, then run install.sh again\n");
    expect(done.code).toBe(0);
    expect(await status()).toMatchObject({ installed: true, ready: false });
  });

  test("with settings it starts the service, waits until it is healthy and says so", async () => {
    const settings = [`RUNNER_API_URL=${control.url}`, `RUNNER_ID=${runner.id}`];
    await vm.run("sh", "-c", `printf '%s\n' ${settings.join(" ")} >>/etc/runner/runner.env`);
    await vm.write("/etc/runner/token", `${runner.token}\n`, "0600");
    const done = await install("5.0.0");
    expect(done.stderr).toBe("");
    expect(done.stdout).toContain("runner: the service is healthy: version 5.0.0\n");
    expect(await status()).toMatchObject({ connected: true, enabled: true, version: "5.0.0" });
  });

  test("the same again changes nothing and restarts nothing", async () => {
    const { pid } = await status();
    const done = await install("5.0.0");
    expect(done.stdout).toContain("runner: version 5.0.0 is already installed; nothing was changed\n");
    expect(done).toMatchObject({ code: 0, stderr: "" });
    expect((await status()).pid).toBe(pid);
  });

  test("an upgrade restarts the service with the new version, which works jobs", async () => {
    const done = await install("5.1.0");
    expect(done).toMatchObject({ code: 0, stderr: "" });
    expect(done.stdout).toContain("restarting runner.service: what runs may end first\n");
    expect(done.stdout).toContain("runner: the service is healthy: version 5.1.0\n");
    expect(await status()).toMatchObject({ connected: true, version: "5.1.0" });
    const file = bed.path("job.yaml");
    writeFileSync(file, "type: actions-workflow\nname: hello\nspec:\n  steps:\n    - { name: who, run: id -un }\n");
    const job = await control.submit(file);
    expect((await control.ended(job)).status).toBe("finished");
    expect(await control.log(job)).toContain("runner");
  });

  test("an upgrade that does not get healthy is taken back, and the version before runs again", async () => {
    const done = await install("5.2.0", "RUNNER_INSTALL_HEALTHY=4");
    expect(done.stderr).toContain("version 5.2.0 did not get healthy, version 5.1.0 runs again");
    expect(done.code).toBe(7);
    expect(await status()).toMatchObject({ connected: true, version: "5.1.0" });
    expect((await vm.run("/usr/local/bin/runner", "version")).trim()).toBe("5.1.0");
  });

  test("a control plane that does not answer is told from a version that does not work", async () => {
    await vm.run("sed", "-i", "s#^RUNNER_API_URL=.*#RUNNER_API_URL=http://127.0.0.1:9#", "/etc/runner/runner.env");
    const done = await install("5.0.0", "RUNNER_INSTALL_HEALTHY=4");
    expect(done.stderr).toContain("version 5.0.0 runs, but its control plane does not answer");
    expect(done.code).toBe(7);
    expect(await status()).toMatchObject({ ready: true, connected: false });
    expect((await vm.run("/usr/local/bin/runner", "version")).trim()).toBe("5.0.0");
  });

  test("with --mng the supervisor is a service too, and both are gone with --uninstall", async () => {
    await vm.run("sed", "-i", `s#^RUNNER_API_URL=.*#RUNNER_API_URL=${control.url}#`, "/etc/runner/runner.env");
    const own = await control.createRunner("mng");
    const identity = [`RUNNER_MNG_ID=${own.id}`, `RUNNER_MNG_API_TOKEN=${own.token}`];
    const done = await vm.exec(
      "env",
      ...identity,
      "sh",
      installer,
      "--base-url",
      host.url,
      "--version",
      "5.1.0",
      "--mng",
    );
    expect(done).toMatchObject({ code: 0, stderr: "" });
    const mng = await vm.exec("runner", "service", "status", "--mode", "mng", "--json");
    expect(JSON.parse(mng.stdout)).toMatchObject({ connected: true, enabled: true });
    expect(await status()).toMatchObject({ connected: true, version: "5.1.0" });
  });

  test("--uninstall stops the service and removes the program; settings and state stay until --purge", async () => {
    const done = await vm.exec("sh", installer, "--uninstall");
    expect(done).toMatchObject({ code: 0, stderr: "" });
    const left = await vm.exec(
      "sh",
      "-c",
      "systemctl cat runner.service runner-mng.service; ls /usr/local/bin /usr/local/lib/runner /etc/runner /var/lib/runner; pgrep -x runner",
    );
    expect(left.stdout).toContain("runner.env\n");
    expect(left.stdout).toContain("install\n");
    expect(left.stderr).toMatch(
      /No files found for runner.service[\s\S]*runner-mng.service[\s\S]*cannot access '\/usr\/local\/lib\/runner'/,
    );
    await vm.run("sh", installer, "--purge");
    const gone = await vm.exec("sh", "-c", "ls -d /etc/runner /var/lib/runner; id runner");
    expect(gone.stdout).toBe("");
  });
});
