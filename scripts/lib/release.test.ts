import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findRelease } from "../../internal/kit/release/index.ts";
import { buildConfig, type ToolConfig } from "../../internal/kit/tools/build-config.ts";
import { createToolFinder, platformName } from "../../internal/kit/tools/index.ts";
import { RunnerError } from "../../internal/protocol/errors.ts";
import { newSigner, writeRelease } from "../../test/lib/release-folder.ts";
import { zip } from "../../test/lib/zip.ts";
import { signFolder } from "./release-folder.ts";
import { promote } from "./release-latest.ts";
import { runtimeOf } from "./release-programs.ts";
import { openSigner, opensshSignature, rawSignature, type Signer } from "./release-signing.ts";
import { publicOrigin, readSource } from "./release-source.ts";
import { putTools } from "./release-tools.ts";
import { BUN, ROOT } from "./spawn.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "runner-release-test-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const at = (...parts: string[]) => join(folder, ...parts);
const HERE = process.arch === "x64" ? "linux-x64" : "linux-arm64";

async function errorOf(work: Promise<unknown>): Promise<RunnerError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof RunnerError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("`npm run release`", () => {
  const cases: readonly (readonly [string, () => string[], string])[] = [
    ["an unknown option", () => ["--targets", "linux-x64"], "--help"],
    ["an unknown target", () => ["--target", "linux-riscv64"], "linux-x64, linux-x64-baseline, linux-x64-musl"],
    ["a version that is a path", () => ["--version", "../1"], "cannot be a version"],
    ["a key that is not there", () => ["--key", at("none")], "openssl genpkey"],
    ["a key of another kind", () => ["--key", rsaKey()], "its kind is rsa"],
    ["a folder that is somebody's", () => ["--out", thesis()], "no release"],
    ["to be the latest in a folder of another name", () => ["--latest", "--version", "1.2.3"], "must be called 1.2.3"],
    ["a latest that is no release", () => ["--promote", at("none")], "there is no release at"],
    ["a push without oras", () => ["--push", "127.0.0.1:1/x:1"], "oras"],
  ];
  for (const [what, argv, message] of cases) {
    test(`refuses ${what} before it builds, in words, with code 2`, () => {
      const done = Bun.spawnSync([BUN, "scripts/run.ts", "release", "--out", at("out"), ...argv()], {
        cwd: ROOT,
        env: { ...process.env, XDG_CONFIG_HOME: at("config"), ORAS: "/nonexistent/oras" },
      });
      const said = done.stderr.toString();
      expect([done.exitCode, said]).toEqual([2, expect.stringContaining(message)]);
      expect(said).not.toContain("building");
      expect(existsSync(at("out"))).toBe(false);
    });
  }

  const thesis = () => {
    writeFileSync(at("thesis.txt"), "");
    return folder;
  };
  const rsaKey = () => {
    Bun.spawnSync(["openssl", "genpkey", "-algorithm", "rsa", "-out", at("rsa.key")], { stderr: "ignore" });
    return at("rsa.key");
  };
});

describe("`latest` of a folder of releases", () => {
  const release = (version: string, signer: Signer) => writeRelease(at(version), signer, { version, programs: [] });
  const newest = async (signer: Signer) => {
    const found = await findRelease({ base: folder, version: null, key: signer.trusted });
    return found.ok ? found.value.version : found.error.message;
  };

  test("names the release that was promoted last, older or newer, in the same bytes each time", async () => {
    const signer = newSigner();
    for (const version of ["1.0.0", "1.1.0"]) release(version, signer);
    expect(await promote(at("1.1.0"), signer)).toBe("1.1.0");
    const bytes = readFileSync(at("latest"));
    expect(await newest(signer)).toBe("1.1.0");
    await promote(at("1.0.0"), signer);
    expect(await newest(signer)).toBe("1.0.0");
    await promote(at("1.1.0"), signer);
    expect(readFileSync(at("latest"))).toEqual(bytes);
    expect(bytes.toString()).toStartWith("version 1.1.0\nmade 2026-11-21T00:00:00.000Z\nsums ");
  });

  test("is signed for no release by another key, nor for one in a folder of another name", async () => {
    const signer = newSigner();
    release("1.0.0", newSigner());
    writeRelease(at("2.0.0"), signer, { version: "1.9.0", programs: [] });
    expect((await errorOf(promote(at("1.0.0"), signer))).message).toContain("is not one of the trusted key");
    expect((await errorOf(promote(at("2.0.0"), signer))).message).toContain("must be called 1.9.0");
    expect(existsSync(at("latest"))).toBe(false);
  });
});

describe("the signing key", () => {
  const config = process.env.XDG_CONFIG_HOME;
  afterEach(() => {
    if (config === undefined) delete process.env.XDG_CONFIG_HOME;
    else process.env.XDG_CONFIG_HOME = config;
  });

  test("for development is made once, for its owner alone, and said to be one", () => {
    process.env.XDG_CONFIG_HOME = at("config");
    const said: string[] = [];
    const first = openSigner(null, (line) => said.push(line));
    const again = openSigner(null, () => {});
    expect(again.trusted.fingerprint).toBe(first.trusted.fingerprint);
    expect(statSync(at("config/runner/release-dev.key")).mode & 0o777).toBe(0o600);
    expect(said.join()).toContain("trusted by nobody but your own builds");
  });

  test("made by openssl signs what openssl and ssh-keygen accept, and a changed byte they refuse", () => {
    Bun.spawnSync(["openssl", "genpkey", "-algorithm", "ed25519", "-out", at("release.key")]);
    const signer = openSigner(at("release.key"), () => {});
    const text = Buffer.from(`${"0".repeat(64)}  file\n`);
    writeFileSync(at("release.pub"), signer.publicText);
    writeFileSync(at("raw"), rawSignature(signer, text));
    writeFileSync(at("ssh"), opensshSignature(signer, text));
    writeFileSync(at("allowed"), `release ${signer.publicText.split("\n")[0]}\n`);
    const accepted = (bytes: Buffer) => {
      writeFileSync(at("text"), bytes);
      const openssl = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", at("release.pub"), "-rawin"];
      const ssh = ["ssh-keygen", "-Y", "verify", "-f", at("allowed"), "-I", "release", "-n", "runner-release"];
      return [
        Bun.spawnSync([...openssl, "-in", at("text"), "-sigfile", at("raw")]).exitCode,
        Bun.spawnSync([...ssh, "-s", at("ssh")], { stdin: bytes }).exitCode,
      ].map((code) => code === 0);
    };
    expect(accepted(text)).toEqual([true, true]);
    expect(accepted(Buffer.concat([text, Buffer.from("\n")]))).toEqual([false, false]);
  });
});

describe("what a release says of its source", () => {
  const origins = [
    ["https://github.com/example/runner.git", "git+https://github.com/example/runner.git"],
    ["https://user:token@git.example.com/runner.git?x=secret", "git+https://git.example.com/runner.git"],
    ["git@github.com:example/runner.git", "git+https://github.com/example/runner.git"],
    ["ssh://git@git.example.com/example/runner.git", "git+https://git.example.com/example/runner.git"],
    ["/home/me/runner", null],
    ["file:///home/me/runner", null],
    ["", null],
  ] as const;
  for (const [remote, origin] of origins) {
    test(`of a clone of ${remote || "nothing"}: ${origin ?? "no address"}`, () =>
      expect(publicOrigin(remote)).toBe(origin));
  }

  test("its time is that of SOURCE_DATE_EPOCH; one that is no number is refused", () => {
    const before = process.env.SOURCE_DATE_EPOCH;
    try {
      process.env.SOURCE_DATE_EPOCH = "1700000000";
      expect(readSource().made).toBe("2023-11-14T22:13:20.000Z");
      process.env.SOURCE_DATE_EPOCH = "yesterday";
      expect(() => readSource()).toThrow("SOURCE_DATE_EPOCH");
    } finally {
      if (before === undefined) delete process.env.SOURCE_DATE_EPOCH;
      else process.env.SOURCE_DATE_EPOCH = before;
    }
  });
});

describe("a runtime of Bun", () => {
  const target = () => {
    const found = buildConfig().targets[HERE];
    if (!found) throw new Error(HERE);
    return found;
  };

  test("with another SHA-256 than the pinned one goes into no program", async () => {
    writeFileSync(at(`bun-other-v${Bun.version}`), "not Bun");
    const error = await errorOf(
      runtimeOf("linux-other", { ...target(), runtime: "other", sha256: "0".repeat(64) }, folder),
    );
    expect([error.kind, error.message]).toEqual([
      "environment",
      expect.stringContaining("build-config.yaml says 000000"),
    ]);
  });

  test("that cannot be had is said so, and the target is not built", async () => {
    const error = await errorOf(
      runtimeOf("linux-none", { ...target(), runtime: "none", sha256: "0".repeat(64) }, folder),
    );
    expect([error.kind, error.message]).toEqual(["environment", expect.stringContaining("it was not built")]);
    expect(error.remedy).toContain("--target");
  });
});

describe("the tools of a release", () => {
  const PLATFORM = platformName("linux", process.arch);
  const script = "#!/bin/sh\necho 1.2.3\n";
  const sum = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest("hex");
  const archive = zip("tofu", script);
  const tool = (sha256: Record<string, string>, path: string): ToolConfig => ({
    download: { from: "https://vendor.invalid", archive: path },
    sha256: { "1.2.3": sha256 },
  });
  const config = (): Record<string, ToolConfig> => ({
    tofu: tool(
      { [PLATFORM]: sum(archive), windows_amd64: "0".repeat(64) },
      "v{version}/{tool}_{version}_{platform}.zip",
    ),
    kubectl: tool({ [PLATFORM]: sum(script) }, "v{version}/bin/{os}/{arch}/{tool}"),
    git: {},
  });
  const [os = "", arch = ""] = PLATFORM.split("_");
  const files: Record<string, Uint8Array<ArrayBuffer> | string> = {
    [`/v1.2.3/tofu_1.2.3_${PLATFORM}.zip`]: archive,
    [`/v1.2.3/bin/${os}/${arch}/kubectl`]: script,
  };
  const serve = (content: Record<string, Uint8Array<ArrayBuffer> | string>) =>
    Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request) => {
        const body = content[new URL(request.url).pathname];
        return body === undefined ? new Response("", { status: 404 }) : new Response(body);
      },
    });

  test("come from a mirror, and the folder is itself a mirror without a web server", async () => {
    const mirror = serve(files);
    const tools = config();
    try {
      const put = await putTools({ folder, targets: [HERE], mirror: mirror.url.origin, tools, say: () => {} });
      expect(put.map(({ tool, version, platform, file }) => [tool, version, platform, file])).toEqual([
        ["tofu", "1.2.3", PLATFORM, `tools/v1.2.3/tofu_1.2.3_${PLATFORM}.zip`],
        ["kubectl", "1.2.3", PLATFORM, `tools/v1.2.3/bin/${os}/${arch}/kubectl`],
      ]);
      signFolder(folder, newSigner());
      expect(readFileSync(at("SHA256SUMS"), "utf8").split("\n").length).toBe(3);
    } finally {
      await mirror.stop(true);
    }
    const all = { ...buildConfig().tools, ...tools };
    const finder = createToolFinder({ path: "", cacheDir: at("cache"), mirror: at("tools"), tools: all });
    for (const name of ["tofu", "kubectl"] as const) {
      expect(readFileSync(await finder.find(name, "1.2.3"), "utf8")).toBe(script);
    }
  });

  for (const [what, content, message] of [
    ["does not have one", {}, "answered 404"],
    ["delivers something else", Object.fromEntries(Object.keys(files).map((path) => [path, "else"])), "expected"],
  ] as const) {
    test(`are refused as a whole when the mirror ${what}`, async () => {
      const mirror = serve(content);
      try {
        const work = putTools({ folder, targets: [HERE], mirror: mirror.url.origin, tools: config(), say: () => {} });
        const error = await errorOf(work);
        expect([error.kind, error.message]).toEqual(["environment", expect.stringContaining(message)]);
        expect(error.remedy).toContain("RUNNER_TOOLS_MIRROR");
        expect(readdirSync(folder, { recursive: true, withFileTypes: true }).filter((one) => one.isFile())).toEqual([]);
      } finally {
        await mirror.stop(true);
      }
    });
  }

  test("are those of the targets' platforms only", async () => {
    mkdirSync(at("mirror"));
    expect(
      await putTools({ folder, targets: ["darwin-arm64"], mirror: at("mirror"), tools: config(), say: () => {} }),
    ).toEqual([]);
  });
});
