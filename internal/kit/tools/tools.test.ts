import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
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
import { dirname, join } from "node:path";
import { zip } from "../../../test/lib/zip.ts";
import { RunnerError } from "../../protocol/errors.ts";
import type { Clock } from "../base/clock.ts";
import { buildConfig, createToolFinder, platformName, type ToolFinderOptions, toolEnv } from "./index.ts";
import { unzipOne } from "./unzip.ts";

let base: string;
const at = (...parts: string[]) => join(base, ...parts);

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "tools-"));
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

/** A program that answers `version` and writes down that it was asked. */
const program = (version: string) =>
  `#!/bin/sh\necho asked >> "${base}/asked"\necho '{"terraform_version": "${version}"}'\n`;
const install = (folder: string, version: string) => {
  mkdirSync(at(folder), { recursive: true });
  writeFileSync(at(folder, "terraform"), program(version), { mode: 0o755 });
};

let server: ReturnType<typeof Bun.serve>;
let requests: string[] = [];
let served: (path: string) => Response;
beforeAll(() => {
  server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const { pathname } = new URL(request.url);
      requests.push(pathname);
      await Bun.sleep(10); // long enough for a second caller to come
      return served(pathname);
    },
  });
});
afterAll(async () => {
  await server.stop(true);
});

const clock: Clock = { now: Date.now, monotonic: () => performance.now(), sleep: () => Bun.sleep(5) };

const NO_TOOLS = { terraform: {}, tofu: {}, git: {}, helm: {}, kubectl: {}, oras: {}, podman: {}, docker: {} };

function finder(more: Partial<ToolFinderOptions> = {}, archive = zip("terraform", program("1.11.4"))) {
  requests = [];
  served = () => new Response(archive);
  const sha256 = createHash("sha256").update(archive).digest("hex");
  const terraform = {
    default: "1.11.4",
    download: {
      from: `http://127.0.0.1:${server.port}/vendor`,
      archive: "{tool}/{version}/{tool}_{version}_{platform}.zip",
    },
    sha256: { "1.11.4": { test_cpu: sha256 } },
  };
  return createToolFinder({
    path: `${at("bin")}:${at("other")}`,
    cacheDir: at("cache"),
    tools: { ...NO_TOOLS, terraform },
    platform: "test_cpu",
    clock,
    ...more,
  });
}

async function refusal(work: Promise<unknown>): Promise<RunnerError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof RunnerError) return error;
    throw error;
  }
  throw new Error("it was found");
}

const CACHED = "cache/terraform/1.11.4/test_cpu/terraform";
const FILE = "/terraform/1.11.4/terraform_1.11.4_test_cpu.zip";

describe("a tool", () => {
  test("on PATH in the asked version is taken, wherever on PATH it is", async () => {
    install("bin", "1.9.0");
    install("other", "1.11.4");
    expect(await finder().locate("terraform", "1.11.4")).toEqual({
      path: at("other/terraform"),
      version: "1.11.4",
      from: "path",
    });
    expect(await finder().find("terraform", null)).toBe(at("bin/terraform"));
    expect(requests).toBeEmpty();
  });

  test("on PATH in another version is never used in its place", async () => {
    install("bin", "1.11.3");
    const found = await finder().locate("terraform", "1.11.4");
    expect(found).toEqual({ path: at(CACHED), version: "1.11.4", from: "download" });
    expect(readFileSync(found.path, "utf8")).toBe(program("1.11.4"));
    expect(statSync(found.path).mode & 0o777).toBe(0o755);
  });

  test("that is not on PATH is fetched once, by many jobs at once and over a restart", async () => {
    const tools = finder();
    const all = await Promise.all([1, 2, 3].map(() => tools.find("terraform", null)));
    expect(new Set(all)).toEqual(new Set([at(CACHED)]));
    expect(requests).toEqual([`/vendor${FILE}`]);
    expect(readdirSync(dirname(at(CACHED)))).toEqual(["terraform"]);
    expect((await finder().locate("terraform", "1.11.4")).from).toBe("cache");
    expect(requests).toBeEmpty();
  });

  test("is fetched once by two finders that share a cache", async () => {
    const [one, two] = [finder(), finder()];
    await Promise.all([one.find("terraform", "1.11.4"), two.find("terraform", "1.11.4")]);
    expect(requests).toHaveLength(1);
  });

  test("is fetched although a process that died holds the lock", async () => {
    mkdirSync(dirname(at(CACHED)), { recursive: true });
    writeFileSync(`${at(CACHED)}.lock`, JSON.stringify({ pid: 1, startTime: "1", bootId: "an earlier boot" }));
    expect(await finder().find("terraform", "1.11.4")).toBe(at(CACHED));
  });

  test("comes from the mirror when there is one, and only from there", async () => {
    await finder({ mirror: `http://127.0.0.1:${server.port}/mirror/` }).find("terraform", "1.11.4");
    expect(requests).toEqual([`/mirror${FILE}`]);
  });

  test("that PATH has is not asked for its version again, also after a restart", async () => {
    // A compiled program, as terraform is one: scripts are asked every time.
    mkdirSync(at("bin"));
    const source = Bun.which("git") ?? "";
    await Bun.write(at("bin/git"), Bun.file(source));
    Bun.spawnSync(["chmod", "+x", at("bin/git")]);
    const first = await finder().locate("git", null);
    expect(first.version).toMatch(/^\d+\.\d+\.\d+/);
    const cacheFile = at("cache/versions.json");
    writeFileSync(cacheFile, readFileSync(cacheFile, "utf8").replace(first.version ?? "", "9.9.9"));
    expect((await finder().locate("git", null)).version).toBe("9.9.9");
    writeFileSync(cacheFile, "damaged");
    expect((await finder().locate("git", null)).version).toBe(first.version);
  });

  test("that is a script is asked every time: a version manager's shim may answer differently", async () => {
    install("bin", "1.11.4");
    const tools = finder();
    for (let i = 0; i < 2; i++) await tools.locate("terraform", "1.11.4");
    expect(readFileSync(at("asked"), "utf8")).toBe("asked\nasked\n");
  });
});

describe("a tool that cannot be had", () => {
  test("is not used when its SHA-256 is wrong, and nothing of it stays", async () => {
    const good = zip("terraform", program("1.11.4"));
    const evil = zip("terraform", "#!/bin/sh\necho evil\n");
    const sum = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
    const tools = finder({ mirror: `http://127.0.0.1:${server.port}/mirror` }, good);
    served = () => new Response(evil);
    const error = await refusal(tools.find("terraform", "1.11.4"));
    expect(error.message).toContain(`has SHA-256 ${sum(evil)}, expected ${sum(good)}: not used`);
    expect(error.remedy).toContain("check the mirror");
    expect(readdirSync(dirname(at(CACHED)))).toBeEmpty();
  });

  test("names the tool, the version, what was tried and the remedy", async () => {
    install("bin", "1.11.3");
    const tools = finder();
    served = () => new Response("gone", { status: 404 });
    const error = await refusal(tools.find("terraform", "1.11.4"));
    expect(error.kind).toBe("environment");
    for (const part of ["terraform 1.11.4", "is version 1.11.3", "the cache", "answered 404"]) {
      expect(error.message).toContain(part);
    }
    expect(error.remedy).toContain("install terraform 1.11.4");
    expect(error.remedy).toContain("RUNNER_TOOLS_MIRROR");
  });

  test("is not fetched without a known checksum, nor when downloads are off", async () => {
    expect((await refusal(finder().find("terraform", "1.5.7"))).message).toContain("no checksum");
    expect((await refusal(finder({ platform: "plan9_cpu" }).find("terraform", "1.11.4"))).message).toContain(
      "plan9_cpu",
    );
    expect((await refusal(finder({ allowDownload: false }).find("terraform", "1.11.4"))).message).toContain(
      "switched off",
    );
    expect((await refusal(finder().find("tofu", null))).remedy).toContain("install tofu");
    expect(requests).toBeEmpty();
  });

  test.each(["latest", "1.11", "../../etc", "1.11.4/..", ">= 1.0.0", ""])(
    "is refused when %j is asked for: not an exact version",
    async (version) => {
      expect((await refusal(finder().find("terraform", version))).message).toContain("not an exact version");
    },
  );

  test("is retried while the vendor answers 500, then said", async () => {
    const tools = finder();
    let count = 0;
    const good = served;
    served = (path) => (++count < 3 ? new Response("", { status: 500 }) : good(path));
    expect(await tools.find("terraform", "1.11.4")).toBe(at(CACHED));
    rmSync(at("cache"), { recursive: true });
    served = () => new Response("", { status: 500 });
    expect((await refusal(tools.find("terraform", "1.11.4"))).message).toContain("tried 3 times");
  });
});

describe("an archive", () => {
  test.skipIf(!Bun.which("python3"))(
    "made by python's zipfile, deflated or stored, unpacks to the same bytes",
    async () => {
      const script = `import zipfile,sys
for kind, name in ((zipfile.ZIP_DEFLATED, "d.zip"), (zipfile.ZIP_STORED, "s.zip")):
    with zipfile.ZipFile(name, "w", kind) as z:
        z.comment = b"a comment"
        z.writestr("LICENSE.txt", "text")
        z.writestr("tool", bytes(range(256)) * 4000)`;
      expect(Bun.spawnSync(["python3", "-c", script], { cwd: base }).exitCode).toBe(0);
      const wanted = Uint8Array.from({ length: 256 * 4000 }, (_, i) => i % 256);
      for (const name of ["d", "s"]) {
        await unzipOne(at(`${name}.zip`), "tool", at(name), 0o700);
        expect(new Uint8Array(readFileSync(at(name)))).toEqual(wanted);
        expect(statSync(at(name)).mode & 0o777).toBe(0o700);
      }
    },
  );

  test("that is cut, changed, or no archive at all is refused", async () => {
    const good = zip("tool", "content ".repeat(1_000));
    const flipped = good.slice();
    flipped[40] = (flipped[40] ?? 0) ^ 0xff;
    const cases = {
      cut: good.slice(0, -30),
      flipped,
      html: new TextEncoder().encode("<html>"),
      empty: new Uint8Array(),
    };
    for (const [name, bytes] of Object.entries(cases)) {
      writeFileSync(at(`${name}.zip`), bytes);
      expect((await refusal(unzipOne(at(`${name}.zip`), "tool", at(name), 0o755))).message).toContain("damaged");
    }
    writeFileSync(at("good.zip"), good);
    expect((await refusal(unzipOne(at("good.zip"), "other", at("o"), 0o755))).message).toContain("no other in it");
    expect(existsSync(at("o"))).toBeFalse();
  });

  test.skipIf(!Bun.which("python3"))("that holds the program twice, as a link, or as a bomb is refused", async () => {
    const script = `import zipfile,stat,warnings
warnings.simplefilter("ignore")
with zipfile.ZipFile("twice.zip", "w") as z:
    z.writestr("tool", "one"); z.writestr("tool", "two")
with zipfile.ZipFile("link.zip", "w") as z:
    i = zipfile.ZipInfo("tool"); i.create_system = 3; i.external_attr = (stat.S_IFLNK | 0o777) << 16
    z.writestr(i, "/etc/passwd")
with zipfile.ZipFile("bomb.zip", "w", zipfile.ZIP_DEFLATED) as z:
    z.writestr("tool", bytes(3_000_000))
data = bytearray(open("bomb.zip", "rb").read())
at = data.rindex(b"PK\\x01\\x02")
data[at+24:at+28] = (0x7fffffff).to_bytes(4, "little")
open("large.zip", "wb").write(data)
data[at+24:at+28] = (10).to_bytes(4, "little")
open("liar.zip", "wb").write(data)`;
    const made = Bun.spawnSync(["python3", "-c", script], { cwd: base });
    expect(made.stderr.toString()).toBe("");
    for (const [name, reason] of [
      ["twice", "tool is in it twice"],
      ["link", "tool is no plain file"],
      ["large", "tool is larger than"],
      ["liar", "larger than it says"],
    ] as const) {
      const { message } = await refusal(unzipOne(at(`${name}.zip`), "tool", at("program"), 0o755));
      expect(message).toContain(reason);
      expect(existsSync(at("program"))).toBeFalse();
    }
  });
});

describe("build-config.yaml", () => {
  test("is valid and knows terraform's default for every platform that we build for", () => {
    const { terraform } = buildConfig().tools;
    const sums = terraform.sha256?.[terraform.default ?? ""] ?? {};
    expect(Object.keys(sums).sort()).toEqual(["darwin_amd64", "darwin_arm64", "linux_amd64", "linux_arm64"]);
    expect(platformName("linux", "x64")).toBe("linux_amd64");
    expect(platformName("darwin", "arm64")).toBe("darwin_arm64");
  });

  test("reaches the bundle that the binary is made of", async () => {
    await Bun.write(
      at("main.ts"),
      `import { buildConfig } from ${JSON.stringify(join(import.meta.dir, "index.ts"))};
console.log(buildConfig().tools.terraform.default);`,
    );
    const built = Bun.spawnSync(
      [process.execPath, "build", at("main.ts"), "--target=bun", "--outfile", at("main.js")],
      {
        env: { ...process.env, BUN_BE_BUN: "1" },
      },
    );
    expect(built.exitCode).toBe(0);
    const ran = Bun.spawnSync([process.execPath, at("main.js")], { cwd: "/", env: { BUN_BE_BUN: "1" } });
    expect(ran.stdout.toString()).toBe("1.11.4\n");
  });
});

describe("the environment of a job", () => {
  test("has what is allowed, folders of its own, and nothing else of the runner's", () => {
    const base = {
      PATH: "/bin",
      HOME: "/root",
      LANG: "C.UTF-8",
      RUNNER_API_TOKEN: "secret",
      AWS_SECRET_ACCESS_KEY: "secret",
      TF_VAR_x: "1",
      https_proxy: "http://proxy:3128",
      NO_PROXY: "localhost",
      TZ: "",
    };
    expect(toolEnv(base, { home: "/w/home", tmp: "/w/tmp" }, { TF_LOG: "", PATH: "/own/bin" })).toEqual({
      PATH: "/own/bin",
      HOME: "/w/home",
      TMPDIR: "/w/tmp",
      LANG: "C.UTF-8",
      https_proxy: "http://proxy:3128",
      NO_PROXY: "localhost",
      TF_LOG: "",
    });
  });
});
