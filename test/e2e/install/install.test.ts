import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startCutProxy } from "../../lib/cut-proxy.ts";
import { type InstallBed, NEW, noInstallBed, OLD, SHELL_NAMES, startInstallBed } from "./lib/install-bed.ts";
import { writeRelease } from "./lib/releases.ts";

setDefaultTimeout(180_000);

let bed: InstallBed;
beforeAll(async () => {
  if (!noInstallBed) bed = await startInstallBed();
});
afterAll(async () => {
  await bed?.end();
});

/** A script in the machine: `$I` installs without a service, `$U` is the release host, `$F` the test's folder. */
const script = (text: string, shell = "sh") =>
  bed.sh(
    `F=${bed.folder} U=${bed.host.url} K=${bed.folder}/release.pub; I="${shell} $F/install.sh --public-key $K --no-service"; ${text}`,
  );

describe.skipIf(noInstallBed)("install.sh in a clean Debian", () => {
  for (const shell of SHELL_NAMES) {
    test(`with ${shell}: installs, upgrades, keeps the version before, and does nothing the second time`, async () => {
      const prefix = `/opt/${shell.replace(" ", "-")}`;
      const done = await script(
        `P=${prefix}; set -e
        $I --from $F/releases --version ${OLD} --prefix $P; $P/bin/runner
        $I --base-url=$U --prefix=$P; $P/bin/runner; $P/lib/runner/previous/runner
        before=$(find $P ! -type d -printf '%p %l %T@ '); $I --base-url $U --prefix $P
        [ "$before" = "$(find $P ! -type d -printf '%p %l %T@ ')" ] || ls -laR $P
        $I --version ${OLD} --base-url $U --prefix $P; $P/bin/runner
        readlink $P/bin/runner $P/lib/runner/current $P/lib/runner/previous
        stat -c '%a %U' $P/lib/runner/current/runner
        $I --uninstall --prefix $P; ls -d $P || true`,
        shell,
      );
      expect(done.stderr.replace(/^.*slower than.*\n/gm, "")).toBe(
        `ls: cannot access '${prefix}': No such file or directory\n`,
      );
      const said = done.stdout.split("\n").filter((line) => !line.startsWith("runner:"));
      expect(said).toEqual([
        ...[OLD, NEW, OLD, OLD],
        ...["../lib/runner/current/runner", `versions/${OLD}`, `versions/${NEW}`, "755 root", ""],
      ]);
      expect(done.stdout).toContain(`version ${NEW} is already installed; nothing was changed`);
      expect(done.stdout).not.toContain("1: ");
    });
  }

  test("makes user, folders and settings, never writes over them, and removes them only when purged", async () => {
    const done = await script(`set -e; $I --purge --prefix /opt/u >/dev/null
      RUNNER_API_URL=https://cp.example RUNNER_ID=run1 RUNNER_API_TOKEN=secret-1 $I --from $F/releases --prefix /opt/u >/dev/null
      id -Gn runner; getent passwd runner | cut -d: -f6,7
      stat -c '%n %a %U' /etc/runner /etc/runner/* /var/lib/runner; cat /etc/runner/token; grep -v '^#' /etc/runner/runner.env
      echo RUNNER_ID=mine >/etc/runner/runner.env
      RUNNER_ID=run2 RUNNER_API_TOKEN=secret-2 $I --base-url $U --prefix /opt/u --version ${OLD} >/dev/null
      cat /etc/runner/runner.env /etc/runner/token
      echo kept >/var/lib/runner/state
      $I --uninstall --prefix /opt/u; ls /opt; cat /var/lib/runner/state
      $I --purge --prefix /opt/u; set +e; ls -d /etc/runner /var/lib/runner 2>&1; id runner 2>&1; getent group runner || true`);
    expect(done.stderr).toBe("");
    expect(done.stdout.trim().split("\n")).toEqual([
      "runner",
      "/var/lib/runner:/usr/sbin/nologin",
      "/etc/runner 755 root",
      "/etc/runner/release.pub 644 root",
      "/etc/runner/runner.env 600 root",
      "/etc/runner/runner.env.dist 600 root",
      "/etc/runner/token 600 root",
      "/var/lib/runner 755 root",
      "secret-1",
      "RUNNER_API_URL=https://cp.example",
      "RUNNER_ID=run1",
      "RUNNER_PUBLIC_KEY=/etc/runner/release.pub",
      "RUNNER_ID=mine",
      "secret-1",
      "runner: removed the program; /etc/runner and /var/lib/runner stay (--purge removes them)",
      "kept",
      "runner: removed the program, its settings and its state",
      "ls: cannot access '/etc/runner': No such file or directory",
      "ls: cannot access '/var/lib/runner': No such file or directory",
      "id: 'runner': no such user",
    ]);
  });

  test("--purge leaves a user and a state folder that were there before", async () => {
    const done = await script(`set -e; $I --purge --prefix /opt/v >/dev/null
      useradd --system runner; mkdir /var/lib/runner; echo mine >/var/lib/runner/file
      $I --from $F/releases --prefix /opt/v >/dev/null; $I --purge --prefix /opt/v
      id -un runner; cat /var/lib/runner/file; ls -d /etc/runner 2>&1 || true; userdel runner; rm -r /var/lib/runner`);
    expect(done.stdout).toContain("runner: /var/lib/runner was there before and stays\n");
    expect(done.stdout).toContain("\nrunner\nmine\nls: cannot access");
  });

  test("without root it installs the program for oneself", async () => {
    const done = await script(
      `install -d -o nobody /opt/n; setpriv --reuid 65534 --clear-groups $I --from $F/releases --prefix /opt/n/local && /opt/n/local/bin/runner && ls -d /etc/runner`,
    );
    expect(done.stdout).toContain(`installed version ${NEW}: /opt/n/local/bin/runner\n`);
    expect(done.stdout).toContain(`\n${NEW}\n`);
    expect(done.stderr).toContain("cannot access '/etc/runner'");
  });

  test("--dry-run checks the release, says what would be done, and does nothing", async () => {
    const done = await script(
      `$I --base-url $U --dry-run --prefix /opt/d; $I --uninstall --dry-run --prefix /opt/d; ls -d /opt/d /etc/runner`,
    );
    expect(done.stdout).toContain(`would install version ${NEW} (runner_${NEW}_linux_x64`);
    expect(done.stderr.match(/No such file/g)).toHaveLength(2);
  });

  test("a copied release installs itself where it lies, once the key is named", async () => {
    const done = await script(
      `cp -r $F/releases/${OLD} /opt/copied && cp $F/install.sh /opt/copied/ && cd / && sh /opt/copied/install.sh --public-key /opt/copied/release.pub --no-service --prefix /opt/c && /opt/c/bin/runner`,
    );
    expect(done.stdout).toEndWith(`${OLD}\n`);
    expect(done.code).toBe(0);
  });

  for (const [tool, real] of [
    ["curl", "/usr/bin/curl"],
    ["wget", "/usr/local/bin/wget"],
  ] as const) {
    test(`a password in the address stands in no command line while ${tool} fetches`, async () => {
      const [away, back] =
        tool === "curl" ? [":", ":"] : ["mv /usr/bin/curl /root/", `mv /root/curl /usr/bin/; rm ${real}`];
      if (tool === "wget") await bed.vm.copyIn("/usr/bin/wget", real);
      const standIn = join(bed.folder, "bin", tool);
      const look = "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '";
      writeFileSync(standIn, `#!/bin/sh\n${look} >>/tmp/seen\nexec ${real} "$@"\n`, { mode: 0o755 });
      writeFileSync(join(bed.folder, "url"), bed.host.url.replace("//", "//me:hunter2@"));
      const done = await script(
        `rm -f /tmp/seen; ${away}; read -r RUNNER_RELEASE_URL <$F/url; export RUNNER_RELEASE_URL; $I --prefix /opt/p; code=$?; ${back}; /opt/p/bin/runner; cat /tmp/seen; exit $code`,
      );
      rmSync(standIn);
      expect([done.code, done.stderr]).toEqual([0, ""]);
      expect(done.stdout).toContain(`\n${NEW}\n`);
      expect(done.stdout).toContain(`${tool} -`);
      expect(done.stdout).not.toContain("hunter2");
    });
  }

  test("wget serves where there is no curl", async () => {
    await bed.vm.copyIn("/usr/bin/wget", "/usr/local/bin/wget");
    const done = await script(
      `mv /usr/bin/curl /usr/bin/curl.away; $I --base-url $U --prefix /opt/w; code=$?; $I --base-url $U --version 7.7.7 --prefix /opt/w; mv /usr/bin/curl.away /usr/bin/curl; rm /usr/local/bin/wget; /opt/w/bin/runner; exit $code`,
    );
    expect(done.stderr).toMatch(/^runner: there is no version 7\.7\.7 at http.*\n.*never taken instead/);
    expect(done.stdout).toEndWith(`\n${NEW}\n`);
    expect(done.code).toBe(0);
  });

  test("a download that is cut off goes on where it ended", async () => {
    const proxy = await startCutProxy(bed.host.url);
    const ranges: (string | null)[] = [];
    bed.host.fault("_linux_x64", async (request, file) => {
      const bytes = await Bun.file(file).bytes();
      const range = request.headers.get("range");
      ranges.push(range);
      if (range !== null) {
        const from = Number(/\d+/.exec(range)?.[0]);
        const headers = { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` };
        return new Response(bytes.slice(from), { status: 206, headers });
      }
      if (ranges.length > 1) return null;
      let sent = false;
      return new Response(
        new ReadableStream({
          pull(controller) {
            if (sent) proxy.cut();
            else controller.enqueue(bytes.slice(0, 10));
            sent = true;
          },
        }),
      );
    });
    const done = await script(`$I --base-url ${proxy.url} --prefix /opt/cut && /opt/cut/bin/runner`);
    bed.host.heal();
    proxy.stop();
    expect(done).toMatchObject({ code: 0, stderr: "" });
    expect(ranges).toHaveLength(2);
  });

  test("a second install at the same time waits, or says that it will not", async () => {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const { promise: asked, resolve: reached } = Promise.withResolvers<void>();
    bed.host.fault("_linux_x64", async () => {
      reached();
      await gate;
      return null;
    });
    const first = script(`$I --base-url $U --prefix /opt/two`);
    await asked;
    const hurried = await script(`RUNNER_INSTALL_WAIT=1 $I --base-url $U --prefix /opt/two`);
    expect(hurried.stderr).toMatch(/another install \(process \d+\) is still at work/);
    expect(hurried.code).toBe(5);
    const patient = script(`$I --base-url $U --prefix /opt/two`);
    const waits = await script(`for _ in $(seq 600); do ls /opt/two/lib/runner/.lock-* && break; sleep 0.1; done`);
    expect(waits.stdout).toMatch(/\.lock-\d+/);
    open();
    expect((await first).code).toBe(0);
    expect(await patient).toMatchObject({ code: 0, stdout: expect.stringMatching(/already installed/) });
    bed.host.heal();
    const left = await bed.sh("find /opt/two -name '.lock*' -o -name '.incoming*'");
    expect(left.stdout).toBe("");
  });

  const STEPS = ["lock", "fetch", "verify", "smoke", "stage", "previous", "current", "bin"];
  const LATER = ["user", "folders", "env", "token"];

  test("killed after any step, the version before runs on, and the next install completes", async () => {
    const done = await script(`I="$I --base-url $U"
      for step in ${STEPS.join(" ")}; do
        P=/opt/kill-$step; $I --version ${OLD} --prefix $P >/dev/null
        (RUNNER_INSTALL_STOP_AFTER=$step $I --prefix $P) >/dev/null 2>&1; killed=$?; runs=$($P/bin/runner)
        $I --prefix $P >/dev/null || echo "failed after $step"
        echo "$step $killed $runs $($P/bin/runner) $($P/lib/runner/previous/runner) $(find $P -name '.lock*' -o -name '.incoming*')"
      done`);
    const after = (step: string) => (["current", "bin"].includes(step) ? NEW : OLD);
    expect(
      done.stdout
        .trimEnd()
        .split("\n")
        .map((line) => line.trimEnd()),
    ).toEqual(STEPS.map((step) => `${step} 137 ${after(step)} ${NEW} ${OLD}`));
  });

  test("a first install that was killed after any step is completed by the next", async () => {
    const done = await script(`I="$I --base-url $U"; $I --purge >/dev/null
      for step in ${["stage", "current", ...LATER].join(" ")}; do
        P=/opt/first-$step
        (RUNNER_INSTALL_STOP_AFTER=$step RUNNER_ID=r1 RUNNER_API_TOKEN=t $I --prefix $P) >/dev/null 2>&1; killed=$?
        RUNNER_ID=r1 RUNNER_API_TOKEN=t $I --prefix $P >/dev/null || echo "failed after $step"
        echo "$step $killed $($P/bin/runner) $(cat /etc/runner/token) $(grep -c '^RUNNER_ID=r1' /etc/runner/runner.env) $(id -un runner)"
        $I --purge --prefix $P >/dev/null; ls -d $P /etc/runner /var/lib/runner 2>/dev/null
      done`);
    expect(done.stdout.trimEnd().split("\n")).toEqual(
      ["stage", "current", ...LATER].map((step) => `${step} 137 ${NEW} t 1 runner`),
    );
  });

  test("a damaged program of the same version is mended", async () => {
    const done = await script(
      `P=/opt/mend; $I --base-url $U --prefix $P >/dev/null; echo broken >$P/lib/runner/current/runner; $I --base-url $U --prefix $P; $P/bin/runner`,
    );
    expect(done.stdout).toEndWith(`${NEW}\n`);
  });

  test("versions are ordered as semantic versions are", async () => {
    const order = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0", "1.9.0", "1.10.0"];
    for (const version of order) {
      const folder = join(bed.releases, "ordered", version);
      writeRelease(folder, version, bed.signer);
    }
    const done = await script(`P=/opt/order; before=
      for v in ${order.join(" ")}; do
        $I --from $F/releases/ordered/$v --prefix $P >/dev/null || echo "$v is not taken after $before"
        [ -z "$before" ] || ! $I --from $F/releases/ordered/$before --dry-run --prefix $P >/dev/null 2>&1 || echo "$before is taken after $v"
        before=$v
      done`);
    expect(done.stdout).toBe("");
  });
});
