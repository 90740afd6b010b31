import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RunnerError } from "../../protocol/errors.ts";
import { buildConfig, createToolFinder, readSums, type ToolName } from "./index.ts";

let base: string;
let server: ReturnType<typeof Bun.serve>;
let requests: string[] = [];
let served: Uint8Array<ArrayBuffer> = new Uint8Array();
const at = (...parts: string[]) => join(base, ...parts);

beforeAll(() => {
  server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      requests.push(new URL(request.url).pathname);
      return new Response(served);
    },
  });
});
afterAll(() => server.stop(true));
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "tools-"));
  requests = [];
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const says = (text: string) => `#!/bin/sh\necho '${text}'\n`;
function install(name: string, text: string): void {
  mkdirSync(at("bin"), { recursive: true });
  writeFileSync(at("bin", name), says(text), { mode: 0o755 });
}

/** A gzipped tar as the vendors of Go programs make them, by the tar of this machine. */
function archiveOf(files: Readonly<Record<string, string>>): Uint8Array<ArrayBuffer> {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(at("pack", path), ".."), { recursive: true });
    writeFileSync(at("pack", path), text, { mode: 0o755 });
  }
  const made = Bun.spawnSync(["tar", "-czf", at("made.tar.gz"), "-C", at("pack"), "."]);
  expect(made.exitCode).toBe(0);
  return new Uint8Array(readFileSync(at("made.tar.gz")));
}

const finder = (sums = new Map<string, string>()) =>
  createToolFinder({
    path: at("bin"),
    cacheDir: at("cache"),
    mirror: `http://127.0.0.1:${server.port}/mirror`,
    platform: "linux_amd64",
    sums,
  });

async function refusal(work: Promise<unknown>): Promise<RunnerError> {
  const error = await work.then(
    () => null,
    (one: unknown) => one,
  );
  if (error instanceof RunnerError) return error;
  throw new Error("it was found");
}

const ANSWERS: readonly (readonly [ToolName, string, string])[] = [
  ["helm", "v3.19.0+g3d8990f", "3.19.0"],
  ["kubectl", '{"clientVersion": {"major": "1", "gitVersion": "v1.34.1"}, "kustomizeVersion": "v5.7.1"}', "1.34.1"],
  ["oras", "Version:        1.3.1\nGo version:     go1.25.3", "1.3.1"],
  ["podman", "podman version 4.3.1", "4.3.1"],
  ["docker", "Docker version 20.10.24+dfsg1, build 297e128", "20.10.24"],
];
test.each(ANSWERS)("%s on PATH is known by the version it says", async (tool, answer, version) => {
  install(tool, answer);
  expect(await finder().locate(tool, version)).toEqual({ path: at("bin", tool), version, from: "path" });
});

describe("helm", () => {
  test("in two versions on PATH is found by the version asked for, under its own name or helm3 and helm4", async () => {
    install("helm3", "v3.19.0+g3d8990f");
    install("helm4", "v4.3.1+g1234567");
    expect(await finder().find("helm", "3.19.0")).toBe(at("bin/helm3"));
    expect(await finder().find("helm", "4.3.1")).toBe(at("bin/helm4"));
    install("helm", "v3.18.6+gabcdefa");
    expect(await finder().find("helm", null)).toBe(at("bin/helm"));
  });

  test("is taken out of the vendor's archive, where it lies in a folder", async () => {
    served = archiveOf({ "linux-amd64/helm": says("v3.18.4"), "linux-amd64/LICENSE": "free" });
    const sums = new Map([["helm-v3.18.4-linux-amd64.tar.gz", sha256(served)]]);
    const found = await finder(sums).locate("helm", "3.18.4");
    expect(found).toEqual({ path: at("cache/helm/3.18.4/linux_amd64/helm"), version: "3.18.4", from: "download" });
    expect(readFileSync(found.path, "utf8")).toBe(says("v3.18.4"));
    expect(statSync(found.path).mode & 0o777).toBe(0o755);
    expect(requests).toEqual(["/mirror/helm-v3.18.4-linux-amd64.tar.gz"]);
  });

  test("of a version whose sum nobody named is not fetched; the remedy says the line to add", async () => {
    const { message, remedy } = await refusal(finder().find("helm", "4.3.1"));
    expect(message).toContain("no checksum of it for linux_amd64 is known");
    expect(remedy).toContain('RUNNER_TOOLS_SUMS: "<sum>  helm-v4.3.1-linux-amd64.tar.gz"');
    expect(requests).toBeEmpty();
  });

  test("from a mirror that delivers something else than the named sum is not used", async () => {
    served = archiveOf({ "linux-amd64/helm": says("evil") });
    const sums = new Map([["helm-v3.18.4-linux-amd64.tar.gz", "0".repeat(64)]]);
    expect((await refusal(finder(sums).find("helm", "3.18.4"))).message).toContain("has SHA-256");
    expect(existsSync(at("cache/helm/3.18.4/linux_amd64/helm"))).toBeFalse();
  });

  test("is not found in an archive that has it elsewhere", async () => {
    served = archiveOf({ helm: says("v3.18.4") });
    const sums = new Map([["helm-v3.18.4-linux-amd64.tar.gz", sha256(served)]]);
    const { message } = await refusal(finder(sums).find("helm", "3.18.4"));
    expect(message).toContain("the archive has no linux-amd64/helm in it");
  });

  test("in a damaged archive is refused in words", async () => {
    served = archiveOf({ "linux-amd64/helm": says("v3.18.4") }).slice(0, 100);
    const sums = new Map([["helm-v3.18.4-linux-amd64.tar.gz", sha256(served)]]);
    expect((await refusal(finder(sums).find("helm", "3.18.4"))).message).toContain("the archive is damaged");
  });
});

test("kubectl, which its vendor does not pack, is taken as it comes; its sum stands under kubectl-VERSION", async () => {
  served = new TextEncoder().encode(says("v1.33.0"));
  const found = await finder(new Map([["kubectl-1.33.0", sha256(served)]])).locate("kubectl", "1.33.0");
  expect(readFileSync(found.path, "utf8")).toBe(says("v1.33.0"));
  expect(statSync(found.path).mode & 0o777).toBe(0o755);
  expect(requests).toEqual(["/mirror/v1.33.0/bin/linux/amd64/kubectl"]);
});

test("a sum that this program knows is not replaced by one of the operator's file", async () => {
  served = new TextEncoder().encode(says("evil"));
  const { message } = await refusal(finder(new Map([["kubectl-1.34.1", sha256(served)]])).find("kubectl", "1.34.1"));
  expect(message).toContain(`expected ${buildConfig().tools.kubectl.sha256?.["1.34.1"]?.linux_amd64}`);
});

describe("a file of checksums", () => {
  const sum = "a".repeat(64);
  test("is what sha256sum writes, with comments and empty lines", () => {
    const text = `# ours\n\n${sum}  ./mirror/helm.tar.gz\n${sum.toUpperCase()} *kubectl-1.33.0\r\n`;
    expect([...readSums(text, "SUMS")]).toEqual([
      ["helm.tar.gz", sum],
      ["kubectl-1.33.0", sum],
    ]);
  });
  test.each([
    ["a short sum", "abc  helm.tar.gz", "SUMS: line 1: not a SHA-256 and a file name"],
    ["no name", `\n${sum}`, "SUMS: line 2: not a SHA-256 and a file name"],
    ["two sums of one file", `${sum}  helm\n${"b".repeat(64)}  helm`, "SUMS: line 2: a second, different sum of helm"],
  ])("with %s is refused by file and line", (_, text, said) => {
    expect(() => readSums(text, "SUMS")).toThrow(said);
  });
});
