import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { commandsOf, linesOf } from "../../lib/doc-blocks.ts";
import { type ServiceBed, skipService, startServiceBed } from "./service-bed.ts";

setDefaultTimeout(240_000);

interface Finding {
  readonly check: string;
  readonly status: "ok" | "warning" | "failed";
  readonly text: string;
  readonly remedy: string | null;
}

let host: ServiceBed;

/** No vendor of tools is asked whether he answers. */
const QUIET = ["RUNNER_TOOLS_MIRROR=http://127.0.0.1:1"];

/** What `runner doctor` says about one thing. */
async function findings(check: string): Promise<Finding[]> {
  const where = "RUNNER_STATE_DIR=/var/lib/runner/install";
  const { stdout } = await host.vm.exec("env", ...QUIET, where, "/usr/local/bin/runner", "doctor", "--json");
  const found: Finding[] = JSON.parse(stdout).findings;
  return found.filter((one) => one.check === check);
}

/** What is done to the machine, which check tells it, and in which words. */
const rows: readonly (readonly [string, string, string, Finding["status"], string])[] = [
  ["settings that others can read", "chmod 644 /etc/runner/runner.env", "settings file", "failed", "has mode 0644"],
  ["settings of somebody else", "chown 12:12 /etc/runner/runner.env", "settings file", "failed", "who can change it"],
  ["a token that others can read", "chmod 640 /etc/runner/token", "token file", "failed", "has mode 0640"],
  ["an account in a mighty group", "usermod -aG root runner", "account", "failed", "its jobs can become root"],
  [
    "a unit that does not start with the machine",
    "systemctl disable runner",
    "service",
    "warning",
    "does not start with",
  ],
  ["a unit changed by hand", "echo >> /etc/systemd/system/runner.service", "service", "warning", "not as this version"],
  [
    "a drop-in of another version",
    "runner service install --no-start --with home && echo >> /etc/systemd/system/runner.service.d/home.conf",
    "service",
    "warning",
    "home.conf: not as this version",
  ],
  [
    "files that systemd has not read",
    "touch -d '1 hour' /etc/systemd/system/runner.service",
    "service",
    "warning",
    "said before",
  ],
  ["a service that was stopped", "systemctl stop runner", "service", "failed", "does not run (inactive)"],
  [
    "a drop-in that makes it root's",
    "mkdir -p /run/systemd/system/runner.service.d && printf '[Service]\\nUser=root\\nCapabilityBoundingSet=~\\n' > /run/systemd/system/runner.service.d/x.conf && systemctl daemon-reload && systemctl restart runner && runner service status --wait",
    "service",
    "failed",
    "runs as root and not as runner",
  ],
  [
    "a drain that is longer than systemd waits",
    "echo RUNNER_DRAIN_TIMEOUT=30m >> /etc/runner/runner.env",
    "service",
    "warning",
    "may take 30m, but systemd waits 720 s",
  ],
];

/** The commands of a page for this suite, without remarks; not those that wait for a person. */
const commandLines = (page: string) =>
  commandsOf(page, "service")
    .flatMap(linesOf)
    .filter((line) => !/^(vi|systemctl edit) | -f$/.test(line));

describe.skipIf(skipService)(
  "`runner doctor` on a machine with the service: what it prints as the remedy works",
  () => {
    beforeAll(async () => {
      host = await startServiceBed();
      expect(await findings("service")).toMatchObject([
        { status: "ok", text: expect.stringContaining("no runner.service") },
      ]);
      await host.configure();
      expect((await host.runner("service", "install")).code).toBe(0);
      expect((await host.runner("service", "status", "--wait", "120")).code).toBe(0);
    });
    afterAll(() => host?.end());

    test("a service as it was installed is found well", async () => {
      for (const check of ["service", "settings file", "token file", "account"]) {
        expect([check, (await findings(check)).map((one) => one.status)]).toEqual([check, ["ok"]]);
      }
    });

    for (const [what, harm, check, status, text] of rows) {
      test(what, async () => {
        await host.vm.run("sh", "-ec", harm);
        const sick = (await findings(check)).find((one) => one.status !== "ok");
        expect(sick).toMatchObject({ status, text: expect.stringContaining(text) });
        const command = /`([^`]+)`/.exec(sick?.remedy ?? "")?.[1];
        await host.vm.run("sh", "-ec", `${command}`);
        await host.connected("runner.service");
        expect((await findings(check)).map((one) => one.status)).toEqual(["ok"]);
      });
    }

    test("every command of docs/service.md and docs/hardening.md works as it stands", async () => {
      const token = await host.vm.readFile("/etc/runner/token");
      await host.configure("eu-1");
      await host.vm.write("/root/given", token, "0600");
      await host.vm.run(
        "sh",
        "-ec",
        "groupadd -f docker; mkdir -p /mnt/image/usr/local/bin; touch /mnt/image/usr/local/bin/runner",
      );
      await host.runner("service", "install", "--mode", "mng", "--no-start");
      const lines = ["docs/service.md", "docs/hardening.md"].flatMap(commandLines);
      for (const line of lines) {
        // What the lines before it restarted needs its moment.
        if (/^runner service status\b(?!.*--wait)/.test(line)) await host.connected("runner.service");
        const { code, stderr } = await host.vm.exec(
          "env",
          ...QUIET,
          "sh",
          "-c",
          line.replace("/dev/stdin", "/root/given"),
        );
        expect([line, code, code === 0 ? "" : stderr]).toEqual([line, 0, ""]);
        if (line === "systemctl stop runner") await host.vm.run("systemctl", "start", "runner");
      }
      expect(await host.vm.readFile("/etc/runner/token")).toBe(token);
    });

    test("a token that is missing: the command that takes it in is printed", async () => {
      await host.vm.run("mv", "/etc/runner/token", "/root/token");
      const [sick] = await findings("token file");
      expect(sick).toMatchObject({
        status: "failed",
        text: expect.stringContaining("no token in /etc/runner/runner.env"),
      });
      const command = /`([^`]+)`/.exec(sick?.remedy ?? "")?.[1];
      await host.vm.run("sh", "-ec", `${command} < /root/token`);
      expect((await findings("token file")).map((one) => one.status)).toEqual(["ok"]);
    });
  },
);
