import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { GoTransport } from "./http.ts";
import type { Doc } from "./sdk.ts";

/** Credentials that worked once are tried first in later jobs, per host, for the life of the process (recorded). */
const remembered = new WeakMap<GoTransport, string>();

/** `oras` copy of an artifact into a folder: HTTPS only, Basic only after a 401, each layer at its title's path. */
export async function pullArtifact(transport: GoTransport, registry: Doc, tag: string, into: string): Promise<void> {
  const host = String(registry.LoginServer ?? "").replace(/^https:\/\//, "");
  if (host.startsWith("http://")) throw new Error("tls: first record does not look like a TLS handshake");
  const repository = String(registry.Repository).replace(`${host}/`, "");
  const auth = (registry.OCIAuth ?? {}) as Record<string, string>;
  const own = `Basic ${Buffer.from(`${auth.Username}:${auth.Password}`).toString("base64")}`;

  const get = async (path: string, accept: string): Promise<Buffer> => {
    const ask = (authorization: string | undefined) =>
      transport.send({
        method: "GET",
        path: `/v2/${repository}/${path}`,
        userAgent: "oras-go",
        headers: { Accept: accept, ...(authorization === undefined ? {} : { Authorization: authorization }) },
      });
    let answer = await ask(remembered.get(transport));
    if (answer.status === 401) {
      if (!/^Basic/i.test(answer.headers.get("www-authenticate") ?? ""))
        throw new Error("401 without a Basic challenge");
      answer = await ask(own);
      if (answer.status === 200) remembered.set(transport, own);
    }
    if (answer.status !== 200) throw new Error(`GET ${path}: response status code ${answer.status}`);
    return answer.body;
  };

  const manifest = JSON.parse(
    (
      await get(
        `manifests/${tag}`,
        "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json",
      )
    ).toString(),
  ) as { config: { digest: string }; layers: { digest: string; annotations?: Record<string, string> }[] };
  await get(`blobs/${manifest.config.digest}`, "*/*");
  for (const layer of manifest.layers) {
    const blob = await get(`blobs/${layer.digest}`, "*/*");
    const digest = `sha256:${new Bun.CryptoHasher("sha256").update(blob).digest("hex")}`;
    if (digest !== layer.digest) throw new Error(`content of ${layer.digest} has digest ${digest}`);
    const title = layer.annotations?.["org.opencontainers.image.title"];
    if (title === undefined) continue;
    const path = resolve(into, title);
    if (!path.startsWith(`${into}/`)) throw new Error("path traversal disallowed");
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(join(path), blob);
  }
}
