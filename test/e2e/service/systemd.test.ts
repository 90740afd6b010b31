import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { type ServiceBed, skipService, startServiceBed, patiently as until } from "./service-bed.ts";

setDefaultTimeout(240_000);
const STATE = "/var/lib/runner/install";
const UNIT = "runner.service";

let host: ServiceBed;

describe.skipIf(skipService)("the runner under a real systemd", () => {
  beforeAll(async () => {
    host = await startServiceBed();
  });
  afterAll(() => host?.end());

  test("`service install` makes unit and account, and starts nothing before there are settings", async () => {
    const { code, stdout } = await host.runner("service", "install");
    expect([code, stdout]).toEqual([0, expect.stringContaining("was not started: fill in /etc/runner/runner.env")]);
    expect(await host.vm.run("stat", "-c", "%a %U", "/etc/runner/runner.env")).toBe("600 root\n");
    expect(await host.vm.run("id", "-nG", "runner")).toBe("runner\n");
    expect((await host.runner("service", "status")).code).toBe(1);
  });

  test("with settings it starts, is ready and connected, and the same again changes nothing", async () => {
    await host.configure();
    expect((await host.runner("service", "install")).stdout).toContain(`${UNIT} was started`);
    const status = await host.runner("service", "status", "--wait", "120", "--json");
    expect(status.stderr).toBe("");
    const pid = await host.pid(UNIT);
    expect(JSON.parse(status.stdout)).toMatchObject({
      installed: true,
      enabled: true,
      state: "active (running)",
      ready: true,
      connected: true,
      version: host.version,
      pid,
      restarts: 0,
      watchdog: { every_s: 60 },
    });
    const again = await host.runner("service", "install");
    expect(again.stdout).toBe("nothing to write: everything is as it should be\nrunner.service runs\n");
    expect(await host.pid(UNIT)).toBe(pid);
    expect(await host.vm.run("journalctl", "-u", UNIT, "-o", "cat", "--no-pager")).toContain(
      "connected dialect=native",
    );
  });

  test("systemd has nothing to say against the units, and finds them well shut (exposure at most 2.0)", async () => {
    await host.runner("service", "install", "--mode", "mng", "--no-start");
    await host.runner("service", "install", "--instance", "proof", "--no-start");
    const paths = [UNIT, "runner@.service", "runner-mng.service"].map((unit) => `/etc/systemd/system/${unit}`);
    const verified = await host.vm.exec("systemd-analyze", "verify", ...paths);
    expect([verified.code, verified.stderr]).toEqual([0, ""]);
    for (const path of paths) {
      const judged = await host.vm.exec("systemd-analyze", "security", "--offline=true", "--threshold=20", path);
      expect([path, judged.code]).toEqual([path, 0]);
    }
    await host.runner("service", "uninstall", "--mode", "mng");
    expect((await host.vm.exec("test", "-e", "/etc/systemd/system/runner-mng.service")).code).toBe(1);
  });

  test("actions, scripts and terraform work inside the sandbox, which holds", async () => {
    const action = await host.submit(
      "sandbox",
      `type: actions-workflow
name: sandbox
spec:
  steps:
    - name: look
      run: |
        try() { if "$@" 2>/dev/null; then echo yes; else echo no; fi; }
        echo "user=$(id -un)" >> "$RUNNER_OUTPUT"
        echo "system=$(try touch /usr/local/x)" >> "$RUNNER_OUTPUT"
        echo "settings=$(try cat /etc/runner/runner.env)" >> "$RUNNER_OUTPUT"
        echo "home=$(try ls /root)" >> "$RUNNER_OUTPUT"
        echo "namespace=$(try unshare --user true)" >> "$RUNNER_OUTPUT"
        echo "rights=$(awk '/^CapBnd/ {print $2}' /proc/self/status)" >> "$RUNNER_OUTPUT"
        echo "no_new=$(awk '/^NoNewPrivs/ {print $2}' /proc/self/status)" >> "$RUNNER_OUTPUT"
        echo "own_tmp=$(try touch /tmp/mine)" >> "$RUNNER_OUTPUT"
`,
    );
    const script = await host.submit(
      "script",
      'type: script\nname: script\nspec: { language: shell, code: "echo answer=42 >> $RUNNER_OUTPUT" }\n',
    );
    const network = await host.submit("network", terraform("network", "true"));
    expect(await host.control.ended(action)).toMatchObject({
      status: "finished",
      outputs: {
        user: "runner",
        system: "no",
        settings: "no",
        home: "no",
        namespace: "no",
        rights: "0000000000000000",
        no_new: "1",
        own_tmp: "yes",
      },
    });
    expect((await host.vm.exec("test", "-e", "/tmp/mine")).code).toBe(1);
    expect(await host.control.ended(script)).toMatchObject({ status: "finished", outputs: { answer: "42" } });
    expect(await host.control.ended(network)).toMatchObject({ status: "finished" });
  });

  test("kill -9 of the runner leaves a terraform apply alive; the next one takes it up and it is applied once", async () => {
    const job = await host.submit(
      "survivor",
      terraform(
        "survivor",
        `echo kept > /tmp/survivor; echo $$ > ${STATE}/begun; while [ ! -e ${STATE}/gate ]; do sleep 0.1; done; cat /tmp/survivor >> ${STATE}/worked`,
      ),
    );
    const tool = await until("the apply waits", async () => {
      const { code, stdout } = await host.vm.exec("cat", `${STATE}/begun`);
      return code === 0 && stdout.trim();
    });
    const before = await host.pid(UNIT);
    await host.vm.run("kill", "-9", String(before));
    await until("another runner", async () => {
      const pid = await host.pid(UNIT);
      return pid !== 0 && pid !== before;
    });
    await host.connected(UNIT);
    expect((await host.vm.exec("kill", "-0", tool)).code).toBe(0);
    expect(await host.show(UNIT, "NRestarts")).toBe("1");
    await host.vm.run("touch", `${STATE}/gate`);
    const ended = await host.control.ended(job);
    // A plan and an apply, each of them once.
    expect([ended.status, ended.executions.length, ended.jobs.length]).toEqual(["finished", 2, 2]);
    // What the apply had in /tmp is there after the restart too: its sandbox lives as long as it does.
    expect(await host.vm.readFile(`${STATE}/worked`)).toBe("kept\n");
  });

  test("a runner that hangs is ended by the watchdog and started again", async () => {
    await host.vm.write("/etc/systemd/system/runner.service.d/quick.conf", "[Service]\nWatchdogSec=8\nRestartSec=1\n");
    await host.vm.run("systemctl", "daemon-reload");
    await host.vm.run("systemctl", "restart", UNIT);
    await host.connected(UNIT);
    const before = await host.pid(UNIT);
    await host.vm.run("kill", "-STOP", String(before));
    await until("another runner", async () => {
      const pid = await host.pid(UNIT);
      return pid !== 0 && pid !== before;
    });
    await host.connected(UNIT);
    const journal = await host.vm.run("journalctl", "-u", UNIT, "-o", "cat", "--no-pager");
    expect(journal).toContain("Watchdog timeout");
    await host.vm.run("rm", "-r", "/etc/systemd/system/runner.service.d");
    await host.vm.run("systemctl", "daemon-reload");
    await host.vm.run("systemctl", "restart", UNIT);
    await host.connected(UNIT);
  });

  test("`systemctl restart` waits for the job that runs, and loses none", async () => {
    const job = await host.submit(
      "slow",
      `type: actions-workflow\nname: slow\nspec:\n  steps:\n    - name: wait\n      run: |\n        touch ${STATE}/slow\n        while [ ! -e ${STATE}/go ]; do sleep 0.1; done\n        echo "answer=7" >> "$RUNNER_OUTPUT"\n`,
    );
    await until("the action waits", async () => (await host.vm.exec("test", "-e", `${STATE}/slow`)).code === 0);
    const before = await host.pid(UNIT);
    await host.vm.run("systemctl", "restart", "--no-block", UNIT);
    await until("it drains", async () => (await host.show(UNIT, "StatusText")) === "draining");
    expect((await host.control.show(job)).status).toBe("in-progress");
    await host.vm.run("touch", `${STATE}/go`);
    expect(await host.control.ended(job)).toMatchObject({ status: "finished", outputs: { answer: "7" } });
    await until("another runner", async () => {
      const pid = await host.pid(UNIT);
      return pid !== 0 && pid !== before;
    });
    await host.connected(UNIT);
    expect(await host.show(UNIT, "Result")).toBe("success");
  });

  test("two instances work side by side, each with settings, token and state of its own", async () => {
    const runners: Record<string, string> = {};
    for (const name of ["eu-1", "eu-2"]) {
      runners[name] = (await host.configure(name)).id;
      expect((await host.runner("service", "install", "--instance", name)).stdout).toContain("was started");
    }
    for (const [name, id] of Object.entries(runners)) {
      expect((await host.runner("service", "status", "--instance", name, "--wait", "120")).code).toBe(0);
      const job = await host.submit(
        name,
        `type: actions-workflow\nname: ${name}\nspec:\n  steps:\n    - { name: where, run: 'echo "home=$(echo /var/lib/runner/*/journal.db)" >> "$RUNNER_OUTPUT"' }\n`,
        id,
      );
      const ended = await host.control.ended(job);
      expect([ended.status, String(ended.outputs?.home)]).toEqual([
        "finished",
        expect.stringContaining(`/var/lib/runner/${name}/journal.db`),
      ]);
    }
    expect(await host.pid("runner@eu-1.service")).not.toBe(await host.pid("runner@eu-2.service"));
  });

  test("the supervisor of mode mng is ready in a sandbox of its own, as root without root's rights", async () => {
    expect((await host.runner("service", "install", "--mode", "mng")).stdout).toContain(
      "runner-mng.service was started",
    );
    await until("it is ready", async () => (await host.show("runner-mng.service", "ActiveState")) === "active");
    const status = await host.vm.readFile(`/proc/${await host.pid("runner-mng.service")}/status`);
    expect(status).toMatch(/^Uid:\s+0\s/m);
    // CAP_DAC_READ_SEARCH at most: the container has not even that to give.
    expect(/^CapBnd:\s+(\w+)$/m.exec(status)?.[1]).toMatch(/^0{15}[04]$/);
    expect(await host.vm.run("journalctl", "-u", "runner-mng", "-o", "cat", "--no-pager")).not.toContain(
      "permission denied",
    );
  });

  test("a stop ends in order, and `service uninstall` takes every unit and leaves settings and state", async () => {
    await host.vm.run("systemctl", "stop", UNIT);
    expect([await host.show(UNIT, "ActiveState"), await host.show(UNIT, "Result")]).toEqual(["inactive", "success"]);
    const { code, stdout } = await host.runner("service", "uninstall");
    expect([code, stdout]).toEqual([0, expect.stringContaining("runner@eu-2.service: gone; settings and state stay")]);
    expect(await host.vm.run("sh", "-c", "ls /etc/systemd/system | grep runner; true")).toBe("");
    expect((await host.vm.run("systemctl", "list-units", "--all", "--plain", "--no-legend", "runner*")).trim()).toBe(
      "",
    );
    expect((await host.vm.exec("test", "-e", `${STATE}/journal.db`)).code).toBe(0);
    expect((await host.vm.exec("test", "-e", "/etc/runner/token")).code).toBe(0);
    expect((await host.runner("service", "uninstall")).stdout).toBe("no service of the runner is installed here\n");
  });
});

/** A job file whose apply runs a command, with its module beside it. */
function terraform(name: string, command: string): string {
  mkdirSync(host.bed.path(name), { recursive: true });
  const escaped = command.replaceAll("\\", "\\\\").replaceAll('"', '\\"');
  writeFileSync(
    host.bed.path(name, "main.tf"),
    `resource "terraform_data" "it" {\n  provisioner "local-exec" {\n    command = "${escaped}"\n  }\n}\n`,
  );
  return `type: terraform-deploy\noperation: apply\nname: ${name}\nspec:\n  source: { path: ./${name} }\n  version: 1.11.4\n  workspace: ${name}\n`;
}
