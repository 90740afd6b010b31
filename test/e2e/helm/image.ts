import { copyFileSync, cpSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { goProgram } from "../../bed/go-program.ts";
import { program } from "../../faults/lib/processes.ts";
import type { HelmName } from "./helm.ts";

const ROOTFS = join(import.meta.dir, "../../../bundle/container/rootfs");

/** Names under which the node has it; two, so that an upgrade has another one to go to. */
const IMAGES = ["localhost/runner:1", "localhost/runner:2"] as const;

/**
 * What the image of bundle/container holds, as far as these tests need it and without a build: the binary with the
 * machine's libraries, busybox, the tools, and the same first process. An OCI archive in `folder`, 130 MB, in two seconds.
 */
export function runnerArchive(folder: string, tools: readonly HelmName[]): string {
  const work = mkdtempSync(join(folder, "image-"));
  const root = join(work, "root");
  for (const name of ["bin", "tmp", "usr/bin", "usr/local/bin", "var/lib", "var/cache"]) {
    mkdirSync(join(root, name), { recursive: true });
  }
  cpSync(ROOTFS, root, { recursive: true });
  const busybox = Bun.which("busybox") ?? "/bin/busybox";
  copyFileSync(busybox, join(root, "bin/busybox"));
  const applets = text([busybox, "--list"]).split("\n");
  for (const name of applets) if (name !== "busybox") symlinkSync("busybox", join(root, "bin", name));
  withLibraries(root);
  for (const name of tools) copyFileSync(goProgram(name) ?? name, join(root, "usr/local/bin", name));
  return packed(work, root);
}

/** The compiled program, or this bun with the sources bundled into one file when the tests run without one. */
function withLibraries(root: string): void {
  const target = join(root, "usr/local/bin/runner");
  const [binary = "", main] = program;
  if (main === undefined) copyFileSync(binary, target);
  else text([binary, "build", "--compile", main, `--outfile=${target}`]);
  for (const [library] of text(["ldd", target]).matchAll(/\/\S+/g)) {
    if (library.endsWith(":")) continue;
    mkdirSync(join(root, dirname(library)), { recursive: true });
    copyFileSync(library, join(root, library));
  }
}

function packed(work: string, root: string): string {
  const blobs = join(work, "layout/blobs/sha256");
  mkdirSync(blobs, { recursive: true });
  const layer = join(work, "layer.tar");
  text(["tar", "-C", root, "--owner=0", "--group=0", "--mode=a+rX", "-cf", layer, "."]);
  const [layerSum = ""] = text(["sha256sum", layer]).split(" ");
  text(["mv", layer, join(blobs, layerSum)]);
  const blob = (mediaType: string, value: unknown) => {
    const bytes = JSON.stringify(value);
    const digest = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
    writeFileSync(join(blobs, digest), bytes);
    return { mediaType, digest: `sha256:${digest}`, size: Buffer.byteLength(bytes) };
  };
  const OCI = "application/vnd.oci.image";
  const config = {
    User: "65532:65532",
    Env: ["PATH=/usr/local/bin:/usr/bin:/bin"],
    Entrypoint: ["/usr/local/lib/runner/pid1"],
    Cmd: ["run"],
    WorkingDir: "/var/lib",
  };
  const manifests = IMAGES.map((name) => {
    const labels = { "org.opencontainers.image.ref.name": basename(name) };
    const rootfs = { type: "layers", diff_ids: [`sha256:${layerSum}`] };
    const architecture = process.arch === "arm64" ? "arm64" : "amd64";
    const image = { architecture, os: "linux", config: { ...config, Labels: labels }, rootfs };
    const size = Bun.file(join(blobs, layerSum)).size;
    const manifest = blob(`${OCI}.manifest.v1+json`, {
      schemaVersion: 2,
      mediaType: `${OCI}.manifest.v1+json`,
      config: blob(`${OCI}.config.v1+json`, image),
      layers: [{ mediaType: `${OCI}.layer.v1.tar`, digest: `sha256:${layerSum}`, size }],
    });
    return { ...manifest, annotations: { "io.containerd.image.name": name } };
  });
  writeFileSync(join(work, "layout/index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
  writeFileSync(join(work, "layout/oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  text(["tar", "-C", join(work, "layout"), "-cf", join(work, "image.tar"), "."]);
  return join(work, "image.tar");
}

function text(argv: string[]): string {
  const done = Bun.spawnSync(argv, { stdio: ["ignore", "pipe", "pipe"] });
  if (!done.success) throw new Error(`${argv.join(" ")}: ${done.stderr.toString().trim()}`);
  return done.stdout.toString().trim();
}
