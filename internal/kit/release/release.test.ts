import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rawSignature } from "../../../scripts/lib/release-signing.ts";
import { quickClock } from "../../../test/lib/quick-clock.ts";
import {
  newSigner,
  type ReleaseHost,
  serveReleases,
  signLatest,
  writeRelease,
} from "../../../test/lib/release-folder.ts";
import type { RunnerError } from "../../protocol/errors.ts";
import { artifactFor, checkFile, findRelease, type Release, takeFile } from "./index.ts";
import { signedLatest } from "./latest.ts";
import { openSource } from "./source.ts";

const PROGRAM = Buffer.alloc(300_000, "runner");
const LINUX = { os: "linux", arch: "x64", libc: "glibc", avx2: true } as const;
const signer = newSigner();
const { trusted: key } = signer;

let root: string;
let host: ReleaseHost;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "runner-releases-"));
  host = await serveReleases(root);
});
afterAll(async () => {
  await host.end();
  rmSync(root, { recursive: true, force: true });
});
beforeEach(() => publish("1.0.0", "1.1.0"));
afterEach(() => {
  for (const name of readdirSync(root)) rmSync(join(root, name), { recursive: true });
});

function publish(...versions: readonly string[]): void {
  for (const version of versions) {
    writeRelease(join(root, version), signer, {
      version,
      programs: [
        { os: "linux", arch: "x64", variant: "", bytes: PROGRAM },
        { os: "linux", arch: "arm64", variant: "musl", bytes: "other" },
      ],
    });
  }
  signLatest(root, versions.at(-1) ?? "", signer);
}

const find = (base: string, version: string | null, by = key) =>
  findRelease({
    base,
    version,
    key: by,
    clock: quickClock(),
    rule: { tries: 3, base_ms: 1, cap_ms: 1, timeout_ms: 5_000 },
  });

async function found(base: string, version: string | null): Promise<Release> {
  const release = await find(base, version);
  if (!release.ok) throw release.error;
  return release.value;
}

async function refusal(base: string, version: string | null, by = key): Promise<RunnerError> {
  const release = await find(base, version, by);
  if (release.ok) throw new Error(`found ${release.value.version}`);
  return release.error;
}

describe("a release is found", () => {
  const bases = [
    ["in a folder", () => root],
    ["on a web server", () => host.url],
    ["on a web server, the address ending in a slash", () => `${host.url}/`],
  ] as const;
  for (const [where, base] of bases) {
    test(`${where} of releases: the newest by its file latest, any other by its version`, async () => {
      expect((await found(base(), null)).version).toBe("1.1.0");
      expect((await found(base(), "1.0.0")).version).toBe("1.0.0");
    });
    test(`${where} that is one release, with and without naming its version`, async () => {
      const single = `${base().replace(/\/$/, "")}/1.0.0`;
      expect((await found(single, null)).version).toBe("1.0.0");
      expect((await found(single, "1.0.0")).version).toBe("1.0.0");
    });
    test(`${where} only by exactly the version that was asked for`, async () => {
      for (const base_ of [base(), `${base().replace(/\/$/, "")}/1.0.0`]) {
        const error = await refusal(base_, "1.2.0");
        expect([error.kind, error.remedy]).toEqual(["usage", expect.stringContaining("never taken instead")]);
        expect(error.message).toContain("there is no version 1.2.0");
      }
    });
    test(`${where}, its name with a plus in it`, async () => {
      publish("1.2.0+abc1234");
      expect((await found(base(), null)).version).toBe("1.2.0+abc1234");
    });
  }

  test("not where there is none", async () => {
    for (const base of [join(root, "nothing"), `${host.url}/nothing`]) {
      expect((await refusal(base, null)).message).toContain("there is no release at");
    }
  });

  test("not by a version that is a path", async () => {
    expect((await refusal(root, "../1.0.0")).kind).toBe("usage");
  });
});

describe("`latest` of a folder of releases is refused", () => {
  const path = () => join(root, "latest");
  const edit = (change: (text: string) => string) => () => writeFileSync(path(), change(readFileSync(path(), "utf8")));
  const put = (folder: string, version: string) =>
    writeRelease(join(root, folder), signer, { version, programs: [], files: { "notes.txt": "other bytes" } });
  const faults: readonly (readonly [string, () => void, string])[] = [
    ["that is a version without a signature", () => writeFileSync(path(), "1.1.0\n"), "latest is not signed"],
    ["that is empty", () => writeFileSync(path(), ""), "latest is not signed"],
    ["whose version was changed", edit((text) => text.replace("1.1.0", "1.0.0")), "is not one of the trusted key"],
    ["that got a line more", edit((text) => `version 1.0.0\n${text}`), "is not one of the trusted key"],
    ["that was cut short", edit((text) => text.slice(0, 150)), "latest is not signed"],
    ["by another key", () => signLatest(root, "1.1.0", newSigner()), "is not one of the trusted key"],
    ["when an older release lies in the folder it names", () => put("1.1.0", "1.0.0"), "was signed for"],
    ["when that version was made again with other bytes", () => put("1.1.0", "1.1.0"), "was signed for"],
    [
      "that is a signed list of checksums, not a `latest`",
      () => {
        const at = (file: string) => readFileSync(join(root, "1.0.0", file));
        writeFileSync(path(), signedLatest(at("SHA256SUMS").toString(), at("SHA256SUMS.sig"), ""));
      },
      "latest is not signed",
    ],
    [
      "that signs something else",
      () => {
        const text = "name runner\n";
        writeFileSync(path(), signedLatest(text, rawSignature(signer, Buffer.from(text)), ""));
      },
      "does not name a version",
    ],
  ];
  for (const [what, break_, message] of faults) {
    test(`${what}; a version that is asked for is found all the same`, async () => {
      break_();
      for (const base of [root, host.url]) {
        const error = await refusal(base, null);
        expect([error.kind, error.message]).toEqual(["policy", expect.stringContaining(message)]);
        expect(error.remedy).toBeTruthy();
        expect((await found(base, "1.0.0")).version).toBe("1.0.0");
      }
    });
  }
});

describe("a release is refused", () => {
  const edit = (file: string, change: (text: string) => string) => () => {
    const path = join(root, "1.0.0", file);
    writeFileSync(path, change(readFileSync(path, "utf8")));
  };
  const drop = (file: string) => () => rmSync(join(root, "1.0.0", file));
  const faults: readonly (readonly [string, () => void, RunnerError["kind"], string])[] = [
    [
      "whose list of checksums was changed",
      edit("SHA256SUMS", (text) => text.replace(/^./, "0")),
      "policy",
      "is not one of the trusted key",
    ],
    [
      "whose list of checksums got a line more",
      edit("SHA256SUMS", (text) => `${text}${"0".repeat(64)}  x\n`),
      "policy",
      "is not one of the trusted key",
    ],
    ["whose signature is missing", drop("SHA256SUMS.sig"), "policy", "is not signed"],
    [
      "whose signature is cut short",
      () => writeFileSync(join(root, "1.0.0/SHA256SUMS.sig"), "short"),
      "policy",
      "is not one of the trusted key",
    ],
    [
      "whose release.json was changed",
      edit("release.json", (text) => text.replace("1.0.0", "1.0.1")),
      "policy",
      "release.json has SHA-256",
    ],
    ["whose release.json is missing", drop("release.json"), "policy", "has no release.json"],
    ["whose list is not there", drop("SHA256SUMS"), "usage", "there is no version 1.0.0"],
  ];
  for (const [what, break_, kind, message] of faults) {
    test(`${what}, in a folder and on a web server alike`, async () => {
      break_();
      for (const base of [root, host.url]) {
        const error = await refusal(base, "1.0.0");
        expect([error.kind, error.message]).toEqual([kind, expect.stringContaining(message)]);
        expect(error.remedy).toBeTruthy();
      }
    });
  }

  test("when another key signed it; the message names the key that is trusted", async () => {
    const other = newSigner();
    const error = await refusal(root, null, other.trusted);
    expect(error.message).toContain(other.trusted.fingerprint);
    expect(error.remedy).toContain("--public-key");
  });

  test("when it lies under another version's name: an old one must not pass for a new one", async () => {
    writeRelease(join(root, "2.0.0"), signer, { version: "1.0.0", programs: [] });
    const error = await refusal(root, "2.0.0");
    expect([error.kind, error.message]).toEqual(["policy", expect.stringContaining("holds version 1.0.0, not 2.0.0")]);
  });

  test("when its list is what was signed as `latest`: neither passes for the other", async () => {
    const [text = ""] = readFileSync(join(root, "latest"), "utf8").split("signature ");
    writeFileSync(join(root, "1.0.0", "SHA256SUMS"), text);
    writeFileSync(join(root, "1.0.0", "SHA256SUMS.sig"), rawSignature(signer, Buffer.from(text)));
    const error = await refusal(root, "1.0.0");
    expect([error.kind, error.message]).toEqual(["policy", expect.stringContaining("line 1: not a SHA-256")]);
  });

  test("when its list names a file outside of the folder, though it is signed", async () => {
    writeRelease(join(root, "3.0.0"), signer, { version: "3.0.0", programs: [] });
    const { sign } = await import("node:crypto");
    const text = `${"0".repeat(64)}  ../../etc/passwd\n`;
    writeFileSync(join(root, "3.0.0/SHA256SUMS"), text);
    writeFileSync(join(root, "3.0.0/SHA256SUMS.sig"), sign(null, Buffer.from(text), signer.key));
    expect((await refusal(root, "3.0.0")).message).toContain("plain file name");
  });

  test("when release.json gives a program another checksum than the list", async () => {
    writeRelease(join(root, "3.0.0"), signer, {
      version: "3.0.0",
      programs: [{ os: "linux", arch: "x64", variant: "", bytes: "x" }],
    });
    const path = join(root, "3.0.0/release.json");
    writeFileSync(path, readFileSync(path, "utf8").replace(/"sha256":"./, '"sha256":"f'));
    const { signFolder } = await import("../../../scripts/lib/release-folder.ts");
    signFolder(join(root, "3.0.0"), signer);
    expect((await refusal(root, "3.0.0")).message).toContain("or another one");
  });

  const page = "<!DOCTYPE html><html><body>Sign in</body></html>";
  for (const type of ["text/html; charset=utf-8", "text/plain"]) {
    test(`when the server sends a web page as ${type} instead of the list`, async () => {
      host.script("/1.0.0/SHA256SUMS", (response) => void response.writeHead(200, { "content-type": type }).end(page));
      const error = await refusal(`${host.url}/1.0.0`, null);
      expect([error.kind, error.message]).toEqual(["protocol", expect.stringContaining("web page instead")]);
      expect(error.remedy).toContain("proxy");
    });
  }

  test("when the server forbids it, cannot be reached or keeps failing, in words for each", async () => {
    const answer = (status: number) => (response: ServerResponse) => void response.writeHead(status).end();
    host.script("/1.0.0/SHA256SUMS", answer(403), answer(503), answer(503), answer(503));
    expect((await refusal(`${host.url}/1.0.0`, null)).kind).toBe("refused");
    expect((await refusal(`${host.url}/1.0.0`, null)).kind).toBe("unreachable");
    expect((await refusal("http://127.0.0.1:1", null)).kind).toBe("unreachable");
    expect((await refusal("ftp://example.com/x", null)).kind).toBe("usage");
  });

  test("not for a server that fails once", async () => {
    host.script("/1.0.0/SHA256SUMS", (response) => void response.writeHead(502).end());
    expect((await found(`${host.url}/1.0.0`, null)).version).toBe("1.0.0");
  });
});

describe("a program of a release", () => {
  const file = "runner_1.0.0_linux_x64";
  let into: string;
  beforeEach(() => {
    mkdirSync(join(root, "target"));
    into = join(root, "target/runner");
    writeFileSync(into, "old");
  });
  const take = async (base: string) => takeFile(await found(base, "1.0.0"), file, { into, mode: 0o755 });

  test("replaces what lay there in one step, with its mode", async () => {
    for (const base of [root, host.url]) {
      writeFileSync(into, "old", { mode: 0o600 });
      expect(await take(base)).toEqual({ ok: true, value: undefined });
      expect(readFileSync(into).equals(PROGRAM)).toBe(true);
      expect(statSync(into).mode & 0o777).toBe(0o755);
      expect(readdirSync(join(root, "target"))).toEqual(["runner"]);
    }
  });

  test("goes on where the connection broke off", async () => {
    host.script(`/1.0.0/${file}`, (response, bytes) => {
      response.writeHead(200, { "content-length": bytes.length });
      response.write(bytes.subarray(0, 100_000), () => response.destroy());
    });
    expect((await take(host.url)).ok).toBe(true);
    expect(readFileSync(into).equals(PROGRAM)).toBe(true);
  });

  test("is looked for at no address that is none, and the message says what one looks like", () => {
    for (const base of ["file:///%zz", "ftp://host/x", "https://", ""]) {
      const opened = openSource(base);
      expect(opened.ok ? base : opened.error).toMatchObject({ kind: "usage" });
    }
  });

  test("that trickles for more than an hour is given up", async () => {
    let hours = 0;
    const clock = { ...quickClock(), monotonic: () => hours++ * 7_200_000 };
    const release = await findRelease({ base: root, version: "1.0.0", key });
    if (!release.ok) throw release.error;
    const source = openSource(`${host.url}/1.0.0`, { clock });
    if (!source.ok) throw source.error;
    const taken = await takeFile({ ...release.value, source: source.value }, file, { into });
    expect(taken.ok ? null : taken.error.message).toContain("longer than 60 minutes");
    expect(readFileSync(into, "utf8")).toBe("old");
  });

  const faults: readonly (readonly [
    string,
    (response: ServerResponse, bytes: Buffer) => void,
    RunnerError["kind"],
    string,
  ])[] = [
    [
      "was changed",
      (response, bytes) => void response.end(Buffer.concat([Buffer.from("X"), bytes.subarray(1)])),
      "policy",
      "is not the file that was signed",
    ],
    [
      "is longer than it should be",
      (response, bytes) => void response.end(Buffer.concat([bytes, bytes])),
      "policy",
      "larger than 300000 bytes",
    ],
    [
      "ends too early",
      (response, bytes) => void response.end(bytes.subarray(0, 1_000)),
      "unreachable",
      "1000 of 300000 bytes",
    ],
    [
      "is a web page",
      (response) => void response.writeHead(200, { "content-type": "text/html" }).end("<html>"),
      "protocol",
      "web page instead",
    ],
    ["is gone", (response) => void response.writeHead(404).end(), "policy", "has no runner_1.0.0"],
  ];
  for (const [what, answer, kind, message] of faults) {
    test(`that ${what} leaves the old one in place, nothing beside it, and says what is wrong`, async () => {
      host.script(`/1.0.0/${file}`, answer);
      const taken = await take(host.url);
      if (taken.ok) throw new Error("it was taken");
      expect([taken.error.kind, taken.error.message]).toEqual([kind, expect.stringContaining(message)]);
      expect(taken.error.remedy).toBeTruthy();
      expect(readFileSync(into, "utf8")).toBe("old");
      expect(readdirSync(join(root, "target"))).toEqual(["runner"]);
    });
  }

  test("that was changed in a folder is refused too", async () => {
    appendFileSync(join(root, "1.0.0", file), "more");
    const taken = await take(root);
    expect(taken.ok ? null : taken.error.kind).toBe("policy");
    expect(readFileSync(into, "utf8")).toBe("old");
  });

  test("that the list does not name is never taken", async () => {
    writeFileSync(join(root, "1.0.0/extra"), "x");
    const release = await found(root, "1.0.0");
    const taken = await checkFile(release, "extra");
    expect(taken.ok ? null : taken.error.message).toContain("no checksum of extra");
  });

  test("cannot go into a folder that is not there, in words", async () => {
    const taken = await takeFile(await found(root, "1.0.0"), file, { into: join(root, "no/where") });
    expect(taken.ok ? null : [taken.error.kind, taken.error.remedy]).toEqual([
      "environment",
      expect.stringContaining("folder"),
    ]);
    expect(existsSync(join(root, "no"))).toBe(false);
  });

  test("is chosen by the platform; where there is none, what there is is said", async () => {
    const release = await found(root, "1.0.0");
    const fitting = artifactFor(release, LINUX);
    expect(fitting.ok && fitting.value.file).toBe(file);
    const none = artifactFor(release, { os: "openbsd", arch: "x64", libc: null, avx2: true });
    expect(none.ok ? null : [none.error.kind, none.error.message, none.error.remedy]).toEqual([
      "environment",
      expect.stringContaining("no program for openbsd x64"),
      "It has: linux-x64, linux-arm64-musl.",
    ]);
  });
});

const mounts = (() => {
  const probe = mkdtempSync(join(tmpdir(), "runner-mount-"));
  const able = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", probe]).success;
  if (able) Bun.spawnSync(["umount", probe]);
  rmSync(probe, { recursive: true, force: true });
  return able;
})();

describe.skipIf(!mounts && process.env.CI !== "true")("a disk of 20 MiB [mount]", () => {
  let disk: string;
  beforeEach(() => {
    disk = mkdtempSync(join(tmpdir(), "runner-disk-"));
    expect(Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", disk]).success).toBe(true);
  });
  afterEach(() => {
    Bun.spawnSync(["umount", "-l", disk]);
    rmSync(disk, { recursive: true, force: true });
  });

  test("that cannot hold a program is told before anything is fetched; one that fills on the way keeps nothing of it", async () => {
    const large = Buffer.alloc(24 * 1_048_576, "x");
    writeRelease(join(root, "4.0.0"), signer, {
      version: "4.0.0",
      programs: [{ os: "linux", arch: "x64", variant: "", bytes: large }],
      files: { extra: large.toString() },
    });
    const release = await found(`${host.url}/4.0.0`, null);
    const into = join(disk, "runner");
    writeFileSync(into, "old");
    for (const [file, fetched] of [
      ["runner_4.0.0_linux_x64", false],
      ["extra", true],
    ] as const) {
      const taken = await takeFile(release, file, { into });
      expect(taken.ok ? null : [taken.error.kind, taken.error.message]).toEqual([
        "environment",
        expect.stringContaining("no space"),
      ]);
      expect(host.asked.includes(`/4.0.0/${file}`)).toBe(fetched);
      expect(readdirSync(disk)).toEqual(["runner"]);
      expect(readFileSync(into, "utf8")).toBe("old");
    }
  });
});
