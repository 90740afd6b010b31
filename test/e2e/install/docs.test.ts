import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { commandsOf } from "../../lib/doc-blocks.ts";
import { signLatest } from "../../lib/release-folder.ts";
import { type InstallBed, noInstallBed, startInstallBed } from "./lib/install-bed.ts";
import { notingProgram, writeInstaller, writeRelease } from "./lib/releases.ts";

setDefaultTimeout(120_000);

describe.skipIf(noInstallBed)("the commands of the pages about installing do what the pages say", () => {
  let bed: InstallBed;

  beforeAll(async () => {
    bed = await startInstallBed();
    for (const version of ["1.1.0", "1.2.0"]) {
      const folder = join(bed.releases, version);
      writeRelease(folder, version, bed.signer, { program: notingProgram(version) });
      writeInstaller(folder, bed.signer, version);
    }
    signLatest(bed.releases, "1.2.0", bed.signer);
    mkdirSync(join(bed.folder, "usb"));
    cpSync(join(bed.releases, "1.1.0"), join(bed.folder, "usb/runner-1.1.0"), { recursive: true });
    mkdirSync(join(bed.folder, "usb/runner-1.1.0/tools"));
    await bed.vm.write("/usr/local/bin/sudo", '#!/bin/sh\nexec env "$@"\n', "0755");
    await bed.vm.write("/etc/systemd/system/runner.service", "[Service]\nExecStart=/bin/sleep infinity\n");
  });
  afterAll(async () => {
    await bed?.end();
  });

  /** In a shell that ends at the first command that fails, where the page before left off. */
  const run = (page: string) => {
    const text = commandsOf(`docs/${page}.md`, "install")
      .join("\n")
      .replaceAll("https://releases.example.com/runner", bed.host.url)
      .replaceAll("/media/usb", `${bed.folder}/usb`);
    return bed.vm.exec("sh", "-exc", `mkdir -p /root/docs; cd /root/docs; ${text}`);
  };

  test("install-vm.md", async () => {
    const done = await run("install-vm");
    expect([done.code, done.stderr.includes("\nrunner: ")]).toEqual([0, false]);
    const healthy = [...done.stdout.matchAll(/^runner: the service is healthy: version (.*)$/gm)];
    expect(healthy.map(([, version]) => version)).toEqual(["1.1.0", "1.2.0", "1.1.0"]);
    expect(done.stdout).toEndWith("\n1.2.0\n");
    const left = await bed.sh(
      "cat /etc/runner/token; grep ^RUNNER_ /etc/runner/runner.env; /usr/local/bin/runner version",
    );
    expect(left.stdout).toBe(
      `secret\nRUNNER_API_URL=https://control.example.com\nRUNNER_ID=run1\nRUNNER_RELEASE_URL=${bed.host.url}\n1.1.0\n`,
    );
  });

  test("air-gapped.md", async () => {
    const done = await run("air-gapped");
    expect(done.code).toBe(0);
    expect(done.stdout).toContain("version 1.1.0 is already installed; nothing was changed\n");
    expect((await bed.sh("tail -n 1 /etc/runner/runner.env; ls -d /srv/runner-tools")).stdout).toBe(
      "RUNNER_TOOLS_MIRROR=/srv/runner-tools\n/srv/runner-tools\n",
    );
  });

  test("uninstall.md", async () => {
    const done = await run("uninstall");
    expect(done.code).toBe(0);
    expect(done.stdout).toContain("/etc/runner and /var/lib/runner stay");
    expect(done.stdout).toContain("removed the program, its settings and its state\n");
    expect((await bed.sh("ls -d /etc/runner /var/lib/runner /usr/local/lib/runner /usr/local/bin/runner")).stdout).toBe(
      "",
    );
  });

  test("uninstall.md, by hand", async () => {
    await bed.sh("mkdir -p /usr/local/lib/runner; touch /usr/local/bin/runner");
    for (const unit of ["runner", "runner-mng"]) {
      await bed.vm.write(`/etc/systemd/system/${unit}.service`, "[Service]\nExecStart=/bin/sleep infinity\n");
    }
    await bed.sh("systemctl daemon-reload; systemctl start runner runner-mng");
    const [byHand = ""] = commandsOf("docs/uninstall.md", "by-hand");
    expect((await bed.vm.exec("sh", "-euc", byHand)).code).toBe(0);
    const left = await bed.sh("ls -d /usr/local/lib/runner /etc/systemd/system/runner*; systemctl is-active runner");
    expect(left.stdout).toBe("inactive\n");
  });
});
