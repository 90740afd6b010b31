import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { newSigner } from "../../lib/release-folder.ts";
import { type InstallBed, NEW, noInstallBed, OLD, startInstallBed } from "./lib/install-bed.ts";
import { type Answer, endless, half, loginPage, status, tampered } from "./lib/release-host.ts";
import { latestFor, writeInstaller, writeRelease } from "./lib/releases.ts";

setDefaultTimeout(120_000);

let bed: InstallBed;
const PREFIX = "/opt/faults";

beforeAll(async () => {
  if (noInstallBed) return;
  bed = await startInstallBed();
  const done = await bed.install("--base-url", bed.host.url, "--version", OLD, "--prefix", PREFIX);
  if (done.code !== 0) throw new Error(done.stderr);
  const made: Parameters<typeof writeRelease>[] = [
    [join(bed.releases, "by-another"), "2.0.0", newSigner()],
    [join(bed.releases, "3.0.0"), "2.9.0", bed.signer],
    [join(bed.releases, "liar"), "2.0.0", bed.signer, { program: "#!/bin/sh\necho 9.9.9\n" }],
    [join(bed.releases, "broken"), "2.0.0", bed.signer, { program: "#!/bin/sh\necho no such library >&2\nexit 127\n" }],
    [join(bed.releases, "mac"), "2.0.0", bed.signer, { for: { os: "darwin", arch: "arm64", variant: "" } }],
    [join(bed.releases, "0.9.0-rc.1"), "0.9.0-rc.1", bed.signer],
  ];
  for (const [folder, version, signer, more] of made) writeRelease(folder, version, signer, more);
  mkdirSync(join(bed.folder, "newer"));
  writeInstaller(join(bed.folder, "newer"), bed.signer, "9.0.0");
});
afterAll(async () => {
  await bed?.end();
});

interface Row {
  readonly title: string;
  readonly faults?: Readonly<Record<string, Answer>>;
  /** Below the release host. */
  readonly base?: string;
  /** Instead of `--base-url`. */
  readonly flags?: readonly string[];
  readonly code: number;
  readonly says: RegExp;
}

const PROGRAM = `runner_${NEW}_linux_x64`;
const latest = (text: () => string): Readonly<Record<string, Answer>> => ({ "/latest": () => new Response(text()) });
const ROWS: readonly Row[] = [
  { title: "a program with one bit changed", faults: { [PROGRAM]: tampered }, code: 4, says: /SHA-256 differs/ },
  { title: "a program that came truncated", faults: { [PROGRAM]: half }, code: 3, says: /truncated: \d+ of \d+ bytes/ },
  { title: "a login page instead of the program", faults: { [PROGRAM]: loginPage }, code: 3, says: /web page/ },
  { title: "a program that is not there", faults: { [PROGRAM]: status(404) }, code: 3, says: /cannot be fetched.*404/ },
  { title: "a login page instead of everything", faults: { "": loginPage }, code: 3, says: /web page/ },
  { title: "a server that fails", faults: { "": status(500) }, code: 3, says: /500/ },
  { title: "a server that asks for a password", faults: { "": status(401) }, code: 3, says: /401/ },
  { title: "a changed list of checksums", faults: { SHA256SUMS: tampered }, code: 4, says: /not by the trusted key/ },
  {
    title: "a list of checksums without an end",
    faults: { SHA256SUMS: endless },
    code: 3,
    says: /SHA256SUMS is larger than 4096 KiB/,
  },
  { title: "a changed signature", faults: { "SHA256SUMS.sig": tampered }, code: 4, says: /not by the trusted key/ },
  { title: "a truncated signature", faults: { "SHA256SUMS.sig": half }, code: 4, says: /not by the trusted key/ },
  { title: "no signature", faults: { "SHA256SUMS.sig": status(404) }, code: 3, says: /no signature/ },
  {
    title: "a changed release.json",
    faults: { "release.json": tampered },
    code: 4,
    says: /release.json is not what was/,
  },
  { title: "a release by another key", base: "/by-another", code: 4, says: /not by the trusted key/ },
  {
    title: "a folder that holds another version",
    flags: ["--version", "3.0.0"],
    code: 4,
    says: /holds version 2.9.0, not 3/,
  },
  {
    title: "a version that is not there",
    flags: ["--version", "7.7.7"],
    code: 3,
    says: /no version 7.7.7.*404[\s\S]*never taken/,
  },
  {
    title: "`latest` without a signature",
    faults: latest(() => `${NEW}\n`),
    code: 4,
    says: /latest is not signed[\s\S]*--version/,
  },
  {
    title: "`latest` with another version than was signed",
    faults: latest(() => latestFor(NEW, bed.signer).replace(NEW, OLD)),
    code: 4,
    says: /signature of .*latest is not by the trusted key/,
  },
  {
    title: "`latest` by another key",
    faults: latest(() => latestFor(NEW, newSigner(), join(bed.releases, NEW))),
    code: 4,
    says: /signature of .*latest is not by the trusted key/,
  },
  {
    title: "`latest` whose release was changed for another signed one",
    faults: latest(() => latestFor("3.0.0", bed.signer, join(bed.releases, NEW))),
    code: 4,
    says: /3.0.0 is not the release that latest was signed for/,
  },
  {
    title: "`latest` with a path in it",
    faults: latest(() => latestFor("../by-another", bed.signer)),
    code: 4,
    says: /latest does not name a version/,
  },
  {
    title: "a login page instead of `latest`",
    faults: { "/latest": loginPage },
    code: 3,
    says: /latest is a web page/,
  },
  {
    title: "`latest` with a version that is gone",
    faults: latest(() => latestFor("5.0.0", bed.signer)),
    code: 3,
    says: /latest names 5.0.0, which cannot/,
  },
  {
    title: "`latest` of an older release, as it was signed then",
    faults: latest(() => latestFor("0.9.0-rc.1", bed.signer, join(bed.releases, "0.9.0-rc.1"))),
    code: 6,
    says: /1.0.0 is installed, which is newer than 0.9.0-rc.1/,
  },
  {
    title: "a program that says it is another version",
    base: "/liar",
    code: 4,
    says: /says that it is 9.9.9, not 2.0.0/,
  },
  { title: "a program that does not run here", base: "/broken", code: 1, says: /does not run here: no such library/ },
  {
    title: "a release without a program for this machine",
    base: "/mac",
    code: 1,
    says: /no program for this machine: linux/,
  },
];

/**
 * Tries where a version is installed and where none is; tells what changed. One script: each entry into the machine costs
 * half a second on a busy one.
 */
const TRY = `
list() { find ${PREFIX} ! -type d -printf '%p %l %s %T@\\n' | sort; ls -d /tmp/runner-install.* 2>/dev/null; }
before=$(list)
"$@" --prefix /opt/fresh >/dev/null 2>&1 &
"$@" --prefix ${PREFIX}
code=$?
wait $!
echo "fresh $?"
[ "$(list)" = "$before" ] || { echo changed; list; }
find /opt/fresh 2>/dev/null
rm -rf /opt/fresh
exit $code`;

describe.skipIf(noInstallBed)("install.sh refuses on any doubt, says what to do, and leaves all as it was", () => {
  for (const { title, faults = {}, base = "", flags = [], code, says } of ROWS) {
    test(title, async () => {
      for (const [end, answer] of Object.entries(faults)) bed.host.fault(end, answer);
      try {
        const url = `${bed.host.url}${base}`;
        const done = await bed.vm.exec("sh", "-c", TRY, "try", ...bed.installer, "--base-url", url, ...flags);
        expect(done.stderr).toMatch(says);
        expect(done.stderr).toContain("  → ");
        expect(done.code).toBe(code);
        // Where nothing is installed an old version is as good as any.
        if (code !== 6) expect(done.stdout).toMatch(new RegExp(`^(runner: fetching.*\\n)?fresh ${code}\\n$`));
      } finally {
        bed.host.heal();
      }
    });
  }

  test("a checksum that is missing in what was signed", async () => {
    const folder = join(bed.releases, "unsummed");
    const { signFolder } = await import("../../../scripts/lib/release-folder.ts");
    writeRelease(folder, "2.0.0", bed.signer);
    const file = join(folder, "runner_2.0.0_linux_x64");
    const bytes = await Bun.file(file).bytes();
    rmSync(file);
    signFolder(folder, bed.signer);
    writeFileSync(file, bytes);
    const done = await bed.install("--base-url", `${bed.host.url}/unsummed`, "--prefix", PREFIX);
    expect(done.stderr).toMatch(/no checksum of runner_2.0.0_linux_x64/);
    expect(done.code).toBe(4);
  });
});

interface Case {
  readonly title: string;
  /** A script; `$I` is install.sh with a key, `$U` the release host. */
  readonly script: string;
  readonly code: number;
  readonly says: RegExp;
}

const MACHINES: readonly Case[] = [
  { title: "an option that there is not", script: "$I --force", code: 2, says: /no option --force/ },
  { title: "an option without its value", script: "$I --prefix", code: 2, says: /--prefix needs a value/ },
  { title: "nothing said of where the release is", script: "$I --no-service", code: 2, says: /where the release is/ },
  {
    title: "http to another machine",
    script: "$I --no-service --base-url http://127.0.0.1.example/r",
    code: 2,
    says: /not fetched over http/,
  },
  {
    title: "http to another machine behind a password that looks like this one",
    script: "$I --no-service --base-url http://127.0.0.1:1@127.0.0.1:2@other.example/r",
    code: 2,
    says: /not fetched over http/,
  },
  { title: "a relative prefix", script: "$I --no-service --base-url $U --prefix opt", code: 2, says: /absolute path/ },
  {
    title: "a version that is a path",
    script: "$I --no-service --base-url $U --version ../x",
    code: 2,
    says: /is no version/,
  },
  {
    title: "a key that is none",
    script: "sh $F/install.sh --no-service --base-url $U --public-key /etc/passwd",
    code: 2,
    says: /no public Ed25519 key/,
  },
  {
    title: "an older release than the installer's own, unless its version is named",
    script: 'N="sh $F/newer/install.sh --no-service --base-url $U"; $N --dry-run --version 1.0.0 >/dev/null && $N',
    code: 6,
    says: /offers version 1.1.0.abc1234, older than this installer of 9.0.0[\s\S]*--version/,
  },
  { title: "no key to trust", script: "sh $F/install.sh --no-service --base-url $U", code: 4, says: /trusts no key/ },
  {
    title: "a token with a line break",
    script: "RUNNER_API_TOKEN='a\nb' $I --no-service --base-url $U",
    code: 2,
    says: /line break/,
  },
  {
    title: "a prefix on a read-only file system",
    script: "mkdir -p /opt/ro && mount -t tmpfs -o ro none /opt/ro && $I --no-service --base-url $U --prefix /opt/ro/x",
    code: 1,
    says: /cannot be written/,
  },
  {
    title: "a disk without space",
    script:
      "mkdir -p /opt/small && mount -t tmpfs -o size=2m none /opt/small && $I --no-service --base-url $U --prefix /opt/small/x",
    code: 1,
    says: /1 MiB free|2 MiB free/,
  },
  {
    title: "somebody else's program of that name",
    script:
      "mkdir -p /opt/other/bin && echo hi >/opt/other/bin/runner && $I --no-service --base-url $U --prefix /opt/other",
    code: 1,
    says: /was not installed by this script/,
  },
  {
    title: "a service without systemd",
    script: 'unshare --mount sh -c "mount -t tmpfs none /run && $I --base-url $U"',
    code: 1,
    says: /no systemd is at work[\s\S]*--no-service/,
  },
  {
    title: "a service without root",
    script: "setpriv --reuid 65534 --regid 65534 --clear-groups $I --base-url $U",
    code: 1,
    says: /only root[\s\S]*--no-service --prefix/,
  },
  {
    title: "OpenBSD",
    script:
      "mkdir -p /tmp/o && printf '#!/bin/sh\necho OpenBSD\n' >/tmp/o/uname && chmod +x /tmp/o/uname && PATH=/tmp/o:$PATH $I --no-service --base-url $U",
    code: 1,
    says: /no runner for OpenBSD/,
  },
  {
    title: "a processor of another kind",
    script:
      "mkdir -p /tmp/a && printf '#!/bin/sh\ncase $1 in -m) echo riscv64 ;; *) echo Linux ;; esac\n' >/tmp/a/uname && chmod +x /tmp/a/uname && PATH=/tmp/a:$PATH $I --no-service --base-url $U",
    code: 1,
    says: /kind riscv64/,
  },
];

describe.skipIf(noInstallBed)("install.sh says plainly what is not possible here", () => {
  for (const { title, script, code, says } of MACHINES) {
    test(title, async () => {
      const { folder, host } = bed;
      const names = `F=${folder} U=${host.url} I="sh ${folder}/install.sh --public-key ${folder}/release.pub"`;
      const done = await bed.sh(`${names}; ${script}`);
      expect(done.stderr).toMatch(says);
      expect(done.stderr.replace("→", "").length).toBeLessThan(600);
      expect(done.code).toBe(code);
    });
  }

  test("without openssl ssh-keygen checks the signature, and without both nothing is taken", async () => {
    await bed.vm.copyIn("/usr/bin/ssh-keygen", "/usr/local/bin/ssh-keygen");
    await bed.sh("mv /usr/bin/openssl /usr/bin/openssl.away");
    try {
      bed.host.fault("SHA256SUMS", tampered);
      const spoilt = await bed.install("--base-url", bed.host.url, "--prefix", "/opt/by-ssh");
      expect(spoilt.stderr).toMatch(/SHA256SUMS is not by the trusted key/);
      bed.host.fault("/latest", () => new Response(latestFor(NEW, newSigner(), join(bed.releases, NEW))));
      const misled = await bed.install("--base-url", bed.host.url, "--prefix", "/opt/by-ssh");
      expect(misled.stderr).toMatch(/latest is not by the trusted key/);
      bed.host.heal();
      const done = await bed.install("--base-url", bed.host.url, "--prefix", "/opt/by-ssh");
      expect(done).toMatchObject({ code: 0, stderr: "" });
      await bed.sh("rm /usr/local/bin/ssh-keygen");
      const none = await bed.install("--base-url", bed.host.url, "--prefix", "/opt/by-none");
      expect(none.stderr).toMatch(/nothing here can check an Ed25519 signature[\s\S]*Install openssl 3/);
      expect(none.code).toBe(1);
    } finally {
      bed.host.heal();
      await bed.sh("mv /usr/bin/openssl.away /usr/bin/openssl");
    }
  });
});
