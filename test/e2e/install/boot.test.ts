import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { sha256 } from "../../../scripts/lib/release-programs.ts";
import { until } from "../../faults/lib/processes.ts";
import { type InstallBed, NEW, noInstallBed, startInstallBed } from "./lib/install-bed.ts";
import { notingProgram, writeInstaller, writeRelease } from "./lib/releases.ts";

setDefaultTimeout(120_000);
const BOOT = join(import.meta.dir, "../../../bundle/boot");

const CLOUD_CONFIG = z.strictObject({
  write_files: z.array(z.strictObject({ path: z.string(), permissions: z.string(), content: z.string() })),
  runcmd: z.array(z.array(z.string())),
});

let bed: InstallBed;
let metadata: ReturnType<typeof Bun.serve>;
let values: Record<string, string>;

/** The three metadata services on one loopback port, as strict as the real ones about their headers. */
function metadataService() {
  return Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      const { pathname } = new URL(request.url);
      const header = (name: string) => request.headers.get(name);
      if (pathname === "/latest/api/token" && request.method === "PUT") return new Response("session-1");
      const [, aws] = /^\/latest\/meta-data\/tags\/instance\/(.+)$/.exec(pathname) ?? [];
      if (aws && header("x-aws-ec2-metadata-token") !== "session-1") return new Response("", { status: 401 });
      const [, gcp] = /^\/computeMetadata\/v1\/instance\/attributes\/(.+)$/.exec(pathname) ?? [];
      if (gcp && header("metadata-flavor") !== "Google") return new Response("", { status: 403 });
      if (pathname === "/metadata/instance/compute/tags" && header("metadata") === "true") {
        return new Response(
          Object.entries({ owner: "a:b", ...values })
            .map((pair) => pair.join(":"))
            .join(";"),
        );
      }
      const value = values[aws ?? gcp ?? ""];
      return value === undefined ? new Response("", { status: 404 }) : new Response(value);
    },
  });
}

const CLOUDS = { aws: "aws-user-data.sh", gcp: "gcp-startup.sh", azure: "azure-custom-data.sh" } as const;

/** Boots by the script of a cloud, with times of a test. */
const boot = (cloud: keyof typeof CLOUDS, deadline = "10min") =>
  bed.sh(
    `RUNNER_METADATA_URL=http://127.0.0.1:${metadata.port} RUNNER_BOOT_PAUSE=0.2 RUNNER_BOOT_DEADLINE=${deadline} RUNNER_BOOT_POWER_OFF="touch /powered-off" timeout 110 sh ${bed.folder}/boot/${CLOUDS[cloud]} 2>&1 | tee /var/log/boot`,
  );
/** Until a machine whose boot says this over and over has powered itself off. */
const poweredOff = (says: string) =>
  until(
    "it is powered off",
    async () => (await bed.sh(`ls /powered-off && grep -q '${says}' /var/log/boot`)).code === 0,
    60_000,
  );
const watchdog = async () => (await bed.sh("systemctl is-active runner-boot-watchdog.timer")).stdout.trim();

describe.skipIf(noInstallBed)("a new machine makes itself a runner", () => {
  beforeAll(async () => {
    bed = await startInstallBed();
    metadata = metadataService();
    const folder = join(bed.releases, NEW);
    writeRelease(folder, NEW, bed.signer, { program: notingProgram(NEW) });
    writeInstaller(folder, bed.signer, NEW);
    cpSync(BOOT, join(bed.folder, "boot"), { recursive: true });
  });
  afterAll(async () => {
    await bed?.end();
    await metadata?.stop(true);
  });
  beforeEach(() => {
    values = {
      "runner-release-url": bed.host.url,
      "runner-version": NEW,
      "runner-install-sha256": sha256(readFileSync(join(bed.releases, NEW, "install.sh"))),
      "runner-api-url": "https://cp.example:8443/x",
      "runner-id": "run1",
    };
  });
  afterEach(async () => {
    await bed.sh(
      `systemctl stop runner-boot-watchdog.timer; rm -f /sick /powered-off /var/log/asked /var/log/boot; sh ${bed.folder}/install.sh --purge`,
    );
  });

  for (const cloud of ["aws", "gcp", "azure"] as const) {
    test(`on ${cloud}: with tags that hold no secret, a token by identity, and a watchdog until it is healthy`, async () => {
      const done = await boot(cloud);
      expect(done.stdout).toEndWith("runner-boot: the runner is healthy\n");
      expect(await watchdog()).toBe("inactive");
      const made = await bed.sh("cat /var/log/asked; cat /etc/runner/token; grep -v '^#' /etc/runner/runner.env");
      expect(made.stdout).toContain(`mng fetch-token --cloud ${cloud} --token-file /etc/runner/token\n`);
      expect(made.stdout).toContain("\nservice install --prefix /usr/local\n");
      expect(made.stdout).not.toContain("mng --prefix");
      expect(made.stdout).toEndWith(
        `by-identity\nRUNNER_API_URL=https://cp.example:8443/x\nRUNNER_ID=run1\nRUNNER_RELEASE_URL=${bed.host.url}\n`,
      );
    });
  }

  test("with a tag for the supervisor there is one too, with a token of its own", async () => {
    values["runner-mng-id"] = "run2";
    const done = await boot("aws");
    expect(done.stdout).toEndWith("runner-boot: the runner is healthy\n");
    const made = await bed.sh(
      "cat /var/log/asked; grep -v '^#' /etc/runner/runner-mng.env; stat -c %a /etc/runner/runner-mng.env",
    );
    expect(made.stdout).toContain("mng fetch-token --cloud aws --runner-id run2 --token-file ");
    expect(made.stdout).toContain("service install --mode mng --prefix /usr/local\n");
    expect(made.stdout).toEndWith("RUNNER_ID=run2\nRUNNER_API_TOKEN=by-identity\n600\n");
  });

  test("at the next boot all is as it should be, and the token stays", async () => {
    await boot("gcp");
    const done = await boot("gcp");
    expect(done.stdout).toContain("already installed; nothing was changed");
    expect((await bed.sh("grep -c fetch-token /var/log/asked")).stdout).toBe("1\n");
  });

  test("a machine that does not get healthy in time powers itself off", async () => {
    await bed.sh("touch /sick");
    const booting = boot("aws", "2s");
    await poweredOff("trying again");
    await bed.sh("rm /sick");
    expect((await booting).stdout).toContain("runner-boot: not set up yet; trying again\n");
  });

  test("what a try that failed has fetched, a token too, does not stay", async () => {
    await bed.sh("rm -rf /tmp/tmp.*; touch /usr/local/lib/runner");
    const booting = boot("aws", "2s");
    await poweredOff("cannot be written");
    await bed.sh("rm /usr/local/lib/runner");
    expect((await booting).stdout).toEndWith("runner-boot: the runner is healthy\n");
    expect((await bed.sh("ls -d /tmp/tmp.*")).stdout).toBe("");
  });

  test("an install.sh of another checksum is not run", async () => {
    values["runner-install-sha256"] = "0".repeat(64);
    const booting = boot("azure", "2s");
    await poweredOff("is not the one of");
    values["runner-install-sha256"] = sha256(readFileSync(join(bed.releases, NEW, "install.sh")));
    expect((await booting).stdout).toMatch(/install\.sh is not the one of runner-install-sha256/);
  });

  test("a missing tag is named", async () => {
    delete values["runner-id"];
    const booting = boot("gcp", "2s");
    await poweredOff("nothing says RUNNER_ID");
    values["runner-id"] = "run1";
    expect((await booting).stdout).toContain("nothing says RUNNER_ID: set the tag runner-id of this machine\n");
  });

  test("cloud-init.yaml writes a script that does the same without a cloud's identity", async () => {
    const cloud = CLOUD_CONFIG.parse(Bun.YAML.parse(readFileSync(join(BOOT, "cloud-init.yaml"), "utf8")));
    for (const { path, permissions, content } of cloud.write_files) {
      const filled = content
        .replace("https://releases.example/runner", bed.host.url)
        .replace("1.2.3", NEW)
        .replace("INSTALL_SHA256=\n", `INSTALL_SHA256=${values["runner-install-sha256"]}\n`);
      await bed.vm.write(path, filled, permissions);
    }
    await bed.vm.write("/etc/runner/token", "by-hand\n", "0600");
    const done = await bed.vm.exec(...(cloud.runcmd[0] ?? []));
    expect(done).toMatchObject({ code: 0, stderr: "" });
    expect(done.stdout).toContain(`the service is healthy: version ${NEW}\n`);
    expect((await bed.sh("cat /etc/runner/token; rm -r /etc/runner")).stdout).toBe("by-hand\n");
  });
});
