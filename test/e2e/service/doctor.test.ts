import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { hostname } from "node:os";
import { addRunner } from "../../faults/lib/control.ts";
import { commandsOf, linesOf } from "../../lib/doc-blocks.ts";
import { patiently, type ServiceBed, skipService, startServiceBed } from "./service-bed.ts";

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

const OF_SERVICE = ["service", "settings file", "token file", "account"];

/** What `runner doctor` says about one thing, or all of them. */
async function findings(check?: string, env: readonly string[] = [], ...args: string[]): Promise<Finding[]> {
  const where = ["RUNNER_STATE_DIR=/var/lib/runner/install", ...env];
  const { stdout } = await host.vm.exec(
    "env",
    ...QUIET,
    ...where,
    "/usr/local/bin/runner",
    "doctor",
    "--json",
    ...args,
  );
  const found: Finding[] = JSON.parse(stdout).findings;
  return found.filter((one) => check === undefined || one.check === check);
}

/** Of checks of their own: done, found and mended together. */
const secrets: readonly (readonly [harm: string, check: string, text: string])[] = [
  ["chmod 644 /etc/runner/runner.env", "settings file", "has mode 0644"],
  ["chmod 640 /etc/runner/token", "token file", "has mode 0640"],
  ["usermod -aG root runner", "account", "its jobs can become root"],
];

/** What is done to the machine, which check tells it, and in which words. */
const rows: readonly (readonly [string, string, string, Finding["status"], string])[] = [
  ["settings of somebody else", "chown 12:12 /etc/runner/runner.env", "settings file", "failed", "who can change it"],
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
      const found = (await findings()).filter(({ check }) => OF_SERVICE.includes(check));
      expect(found.map(({ check, status }) => [check, status])).toEqual(OF_SERVICE.map((check) => [check, "ok"]));
    });

    test("settings and a token that others can read, an account in a mighty group", async () => {
      await host.vm.run("sh", "-ec", secrets.map(([harm]) => harm).join("; "));
      const found = await findings();
      const sick = secrets.map(([, check]) => found.find((one) => one.check === check));
      expect(sick).toMatchObject(
        secrets.map(([, check, text]) => ({ check, status: "failed", text: expect.stringContaining(text) })),
      );
      const commands = sick.map((one) => /`([^`]+)`/.exec(one?.remedy ?? "")?.[1]);
      await host.vm.run("sh", "-ec", commands.join("; "));
      const well = (await findings()).filter(({ check }) => secrets.some(([, of]) => of === check));
      expect(well.map(({ status }) => status)).toEqual(["ok", "ok", "ok"]);
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

    test("the commands of docs/rotate-keys.md give the service another token, and it goes on with it, not restarted", async () => {
      const [block = ""] = commandsOf("docs/rotate-keys.md", "service");
      const [rotate = "", ...takeIn] = linesOf(block);
      const id = /^RUNNER_ID=(.*)$/m.exec(await host.vm.readFile("/etc/runner/runner.env"))?.[1] ?? "";
      const pid = await host.pid("runner.service");
      const operator = Object.entries(host.control.admin()).map(([name, value]) => `${name}=${value}`);
      const made = await host.vm.run("env", ...operator, "sh", "-ec", rotate.replace("run…", id));
      await host.vm.write("/usr/local/bin/sudo", '#!/bin/sh\nexec env "$@"\n', "0755");
      const { token } = JSON.parse(made);
      await host.vm.run("sh", "-ec", takeIn.join("\n").replace("TOKEN", token));
      expect(await host.vm.readFile("/etc/runner/token")).toBe(`${token}\n`);
      await patiently("the runner has it", async () =>
        (await host.vm.run("journalctl", "-u", "runner", "--no-pager")).includes("its file has a new one"),
      );
      expect(await host.pid("runner.service")).toBe(pid);
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

    test("an id that another machine works under: unit, `mng status` and doctor say so, and an id of its own helps", async () => {
      const { control, vm, bed } = host;
      await vm.run("hostname", "of-its-own");
      const identity = await control.createRunner("shared");
      const other = await addRunner(bed, control, { name: "shared", identity });
      const online = async () =>
        (await control.runners()).some((one) => one.id === other.id && one.contact === "online");
      await patiently("the other one is online", online);
      const work = async ({ id, token }: typeof identity) => {
        await vm.write("/etc/runner/runner.env", `RUNNER_API_URL=${control.url}\nRUNNER_ID=${id}\n`, "0600");
        await vm.write("/etc/runner/token", `${token}\n`, "0600");
        await vm.run("systemctl", "restart", "runner");
      };
      await work(identity);
      const words = `not connected: another instance on ${hostname()} works under ${identity.id}`;
      const said = async () => (await host.show("runner.service", "StatusText")).startsWith(words);
      await patiently("the unit says so", said);
      expect((await host.runner("mng", "status", "--state-dir", "/var/lib/runner/mng")).stdout).toContain(words);
      const env = Object.entries({ API_URL: control.url, ID: identity.id, API_TOKEN: identity.token });
      const settings = env.map(([name, value]) => `RUNNER_${name}=${value}`);
      expect(await findings("runner id", settings)).toMatchObject([
        { status: "warning", text: expect.stringContaining(`a runner on ${hostname()} works under ${identity.id}`) },
      ]);
      const sick = (await findings("service")).find(({ status }) => status === "failed");
      expect(sick?.text).toContain(words);
      const [, command = ""] = /`runner (runners create) NAME`/.exec(sick?.remedy ?? "") ?? [];
      const made = await bed.run([...command.split(" "), "vm-of-its-own", "--json"], control.admin());
      await work(JSON.parse(made.stdout));
      await host.connected("runner.service");
      expect((await findings("service")).map((one) => one.status)).toEqual(["ok"]);
      await other.proc.kill9();
    });

    test("an admin key on a Secret's volume, which nobody here can chmod: its mount", async () => {
      const volume = (script: string) =>
        host.vm.run("sh", "-ec", `mkdir -p /mnt/admin && cd /mnt && ${script} && mount -o remount,ro /mnt/admin`);
      const key = () => findings("admin key", [], "--coordinator", "--admin-key-file", "/mnt/admin/admin.key");
      await volume("mount -t tmpfs none admin && echo a-key-that-is-long-enough >admin/admin.key && chmod 444 admin/*");
      expect(await key()).toMatchObject([
        {
          status: "warning",
          text: expect.stringContaining("0444"),
          remedy: expect.stringContaining("`defaultMode: 0440`"),
        },
      ]);
      expect(await findings("data folder", [], "--coordinator", "--data-dir", "/mnt/admin/data")).toMatchObject([
        { status: "failed", text: expect.stringContaining("read-only"), remedy: expect.stringContaining("--data-dir") },
      ]);
      await volume("mount -o remount,rw /mnt/admin && chmod 440 admin/admin.key");
      expect(await key()).toMatchObject([{ status: "ok", text: expect.stringContaining("mode 0440 on a read-only") }]);
    });

    test("it says that this is a machine with systemd", async () => {
      await host.vm.run("sh", "-c", "umount /run/.containerenv; rm /run/.containerenv");
      for (const side of [[], ["--coordinator"]]) {
        expect(await findings("place", [], ...side)).toMatchObject([{ status: "ok", text: "a machine with systemd" }]);
      }
    });
  },
);
