import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf, MANIFEST_TYPE } from "../workspace/index.ts";
import { artifactSource, orasPull, pullArtifact } from "./index.ts";

const disposals: (() => void)[] = [];
afterEach(() => {
  for (const dispose of disposals.splice(0)) dispose();
});
const folder = () => {
  const path = mkdtempSync(join(tmpdir(), "oras-"));
  disposals.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
};

/** A registry that wants a login and has one artifact, made as `oras push r:1 module/` makes it. */
function registry(prepare: (module: string) => void = () => {}) {
  const root = folder();
  const module = join(root, "module");
  mkdirSync(module);
  Bun.spawnSync(["sh", "-c", "echo 'output \"x\" {}' > main.tf"], { cwd: module });
  prepare(module);
  Bun.spawnSync(["tar", "-czf", "layer.tgz", "module"], { cwd: root });
  const layer = new Uint8Array(readFileSync(join(root, "layer.tgz")));
  const config = new TextEncoder().encode("{}");
  const annotations = { "org.opencontainers.image.title": "module", "io.deis.oras.content.unpack": "true" };
  const layerType = "application/vnd.oci.image.layer.v1.tar+gzip";
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    artifactType: "application/vnd.unknown.artifact.v1",
    config: { mediaType: "application/vnd.oci.empty.v1+json", digest: digestOf(config), size: 2 },
    layers: [{ mediaType: layerType, digest: digestOf(layer), size: layer.length, annotations }],
  });
  const bytes = new TextEncoder().encode(manifest);
  const blobs = new Map([
    [digestOf(layer), layer],
    [digestOf(config), config],
  ]);
  const login = `Basic ${btoa("user:pass word")}`;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      const { pathname } = new URL(request.url);
      if (request.headers.get("authorization") !== login) {
        return new Response(null, { status: 401, headers: { "www-authenticate": 'Basic realm="test"' } });
      }
      if (pathname.includes("/manifests/")) {
        const headers = { "content-type": MANIFEST_TYPE, "docker-content-digest": digestOf(bytes) };
        return new Response(request.method === "HEAD" ? null : bytes, {
          headers: { ...headers, "content-length": String(bytes.length) },
        });
      }
      const blob = blobs.get(pathname.split("/").at(-1) ?? "");
      return blob ? new Response(blob) : new Response("{}");
    },
  });
  disposals.push(() => void server.stop(true));
  const block = {
    RegistryType: "private_oci",
    LoginServer: `http://127.0.0.1:${server.port}`,
    Repository: "team/module",
    OCIAuth: { Username: "user", Password: "pass word" },
  };
  return artifactSource(block, "1");
}

const oras = Bun.which("oras");
const pull = (source: ReturnType<typeof registry>, into: string) =>
  pullArtifact(source, into, {
    folders: (one) =>
      orasPull(one, {
        program: oras ?? "",
        env: { PATH: process.env.PATH ?? "", HOME: into },
        signal: new AbortController().signal,
      }),
  });

describe("an artifact with folders as archives", () => {
  test("is refused where nobody can unpack it, and not taken for plain files", async () => {
    const into = folder();
    await expect(pullArtifact(registry(), into)).rejects.toThrow("folders as archives");
    expect(existsSync(join(into, "module"))).toBe(false);
  });

  // Only where it happens to be: the tests do not build it.
  if (oras !== null) {
    test("is unpacked by oras", async () => {
      const into = folder();
      expect((await pull(registry(), into)).files).toBe(1);
      expect(readFileSync(join(into, "module/main.tf"), "utf8")).toContain("output");
    });

    test("is refused when a link in it leads out", async () => {
      const hostile = registry((module) => symlinkSync("/etc/passwd", join(module, "out")));
      await expect(pull(hostile, folder())).rejects.toThrow();
    });
  }
});
