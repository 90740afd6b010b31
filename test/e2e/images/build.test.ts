import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readImagesArgs, toolVersions } from "../../../scripts/lib/images-args.ts";
import { type Engine, startPodman } from "../../bed/engines.ts";
import { goProgram } from "../../bed/go-program.ts";
import { buildImages, imageMissing, importBase, RUNNER_IMAGE, runnerImageArchive } from "../../bed/runner-image.ts";
import { zip } from "../../lib/zip.ts";

setDefaultTimeout(300_000);
const [oras, terraform] = [goProgram("oras"), Bun.which("terraform")];
const skip = (imageMissing() !== null || oras === null || terraform === null) && process.env.CI !== "true";
/** The vendors' own archives cannot be had here, so these are named by versions that nobody pinned. */
const [TERRAFORM, ORAS] = ["1.11.4-bed", "1.3.1-bed"];
const TOOLS = [`terraform=${TERRAFORM}`, `oras=${ORAS}`, "tofu=none", "helm=none", "kubectl=none"];
const toolFlags = TOOLS.flatMap((tool) => ["--tool", tool]);

let folder: string;
let podman: Engine;
const at = (...parts: string[]) => join(folder, ...parts);
const sha256 = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest("hex");

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "runner-images-test-"));
  if (skip) return;
  podman = await startPodman();
  podman.run("load", "-q", "-i", await runnerImageArchive());
  importBase(podman);
}, 600_000);
afterAll(async () => {
  await podman?.end();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

/** A mirror in the vendors' layout, and the sums of what lies in it. */
function mirror(spoil: (name: string, sum: string) => string = (_, sum) => sum) {
  const put = (path: string, bytes: Uint8Array) => {
    mkdirSync(at("mirror", path, ".."), { recursive: true });
    writeFileSync(at("mirror", path), bytes);
    const name = path.split("/").at(-1) ?? "";
    return `${spoil(name, sha256(bytes))}  ${name}\n`;
  };
  mkdirSync(at("pack"), { recursive: true });
  writeFileSync(at("pack/oras"), readFileSync(oras ?? ""), { mode: 0o755 });
  const tar = Bun.spawnSync(["tar", "-C", at("pack"), "-czf", "-", "oras"]);
  const sums = [
    put(
      `terraform/${TERRAFORM}/terraform_${TERRAFORM}_linux_amd64.zip`,
      zip("terraform", readFileSync(terraform ?? "")),
    ),
    put(`v${ORAS}/oras_${ORAS}_linux_amd64.tar.gz`, tar.stdout),
  ];
  writeFileSync(at("sums"), sums.join(""));
  const cache = mkdtempSync(at("tools-"));
  return { RUNNER_TOOLS_MIRROR: at("mirror"), RUNNER_TOOLS_SUMS: at("sums"), RUNNER_TOOLS_DIR: cache };
}

describe("npm run images", () => {
  test("puts every pinned tool of the architecture into runner-tools, and none without a SHA-256", () => {
    const names = (arch: "amd64" | "arm64") => [...toolVersions(new Map(), arch)].map((one) => one.join(" "));
    expect(names("amd64")).toEqual(
      expect.arrayContaining(["terraform 1.11.4", "tofu 1.10.6", "helm 3.19.0", "kubectl 1.34.1", "oras 1.3.1"]),
    );
    expect(names("arm64")).toEqual(["terraform 1.11.4", "helm 3.19.0", "kubectl 1.34.1"]);
  });

  for (const [args, words] of [
    [["--image", "other"], 'there is no image "other"'],
    [["--arch", "riscv64"], 'there is no architecture "riscv64"'],
    [["--tool", "git=2"], '--tool "git=2" is not NAME=VERSION'],
    [["--tool", "helm"], '--tool "helm" is not NAME=VERSION'],
    [["--on", "x", "--arch", "amd64", "--arch", "arm64"], "--on names an image of one architecture"],
    [["--nothing"], "Unknown option '--nothing'"],
  ] as const) {
    test(`refuses ${args.join(" ")}: ${words}`, () => {
      expect(() => readImagesArgs(args)).toThrow(words);
    });
  }
});

describe.skipIf(skip)("npm run images, with podman", () => {
  test("builds nothing with a tool whose archive has another SHA-256 than was asked for", async () => {
    const env = mirror((name, sum) => (name.startsWith("oras") ? "0".repeat(64) : sum));
    const built = buildImages(podman, ["--image", "runner-tools", "--on", RUNNER_IMAGE, ...toolFlags], env);
    await expect(built).rejects.toThrow(`expected ${"0".repeat(64)}: not used`);
    expect(podman.run("images", "-q", "localhost/runner-tools")).toBe("");
  });

  test("builds runner-tools: the tools in the versions asked for, interpreters, and the runner as it was", async () => {
    await buildImages(podman, ["--image", "runner-tools", "--on", RUNNER_IMAGE, ...toolFlags], mirror());
    const image = "localhost/runner-tools:bed";
    const label = '{{index .Config.Labels "runner.tools"}} {{.Config.User}}';
    const said = podman.run("image", "inspect", "-f", label, image).trim();
    expect(said).toBe(`terraform=${TERRAFORM} oras=${ORAS} 65532:65532`);
    const script =
      "terraform version; oras version; bash --version; jq --version; curl --version; python3 -m venv /tmp/v && /tmp/v/bin/pip --version; readlink /bin/sh; runner version";
    const flags = ["--rm", "--read-only", "--cap-drop=ALL", "--network=none", "--tmpfs=/tmp:exec,mode=1777"];
    const out = podman.run("run", ...flags, "--entrypoint=sh", image, "-c", script);
    for (const words of ["Terraform v1.11.4", "1.3.1", "GNU bash", "jq-1", "curl 7", "pip 2", "\nbusybox\n"]) {
      expect(out).toContain(words);
    }
    expect(out).toContain(podman.run("run", ...flags, RUNNER_IMAGE, "version"));
  });

  test("writes an OCI layout whose index says the architecture; the files of another one are its own, and were not run", async () => {
    const version = "1.2.3+test";
    mkdirSync(at("release"));
    const artifacts = (["x64", "arm64"] as const).map((arch) => {
      const file = `runner_${version}_linux_${arch}`;
      const program = `#!/bin/sh\necho ${arch}\n`;
      writeFileSync(at("release", file), program);
      return { file, os: "linux", arch, variant: "", size: program.length, sha256: sha256(program) };
    });
    const manifest = { schema: 1, version, commit: "", made: "2026-01-01T00:00:00Z", artifacts, tools: [] };
    writeFileSync(at("release/release.json"), JSON.stringify(manifest));
    const where = ["--release", at("release"), "--layout", at("layout"), "--tag", "other"];
    await buildImages(podman, ["--image", "runner", "--arch", "arm64", ...where]);

    const blob = (digest: string) =>
      JSON.parse(readFileSync(at("layout/runner/blobs", digest.replace(":", "/")), "utf8"));
    const [entry] = JSON.parse(readFileSync(at("layout/runner/index.json"), "utf8")).manifests;
    expect(entry.annotations["org.opencontainers.image.ref.name"]).toBe("other");
    const platforms = blob(entry.digest).manifests.map((one: { platform: unknown }) => one.platform);
    expect(platforms).toMatchObject([{ os: "linux", architecture: "arm64" }]);
    const label = '{{index .Config.Labels "org.opencontainers.image.version"}}';
    expect(podman.run("image", "inspect", "-f", label, "localhost/runner:other").trim()).toBe(version);
    const root = podman.run("image", "mount", "localhost/runner:other").trim();
    expect(readFileSync(join(root, "usr/local/bin/runner"), "utf8")).toContain("echo arm64");
    expect(machines(join(root, "usr"))).toEqual(new Set([0xb7]));
  });
});

/** `e_machine` of every ELF file below a folder. */
function machines(root: string): Set<number> {
  const found = new Set<number>();
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const head = readFileSync(join(entry.parentPath, entry.name)).subarray(0, 20);
    if (head.subarray(0, 4).toString("latin1") === "\x7fELF") found.add(head.readUInt16LE(18));
  }
  return found;
}
