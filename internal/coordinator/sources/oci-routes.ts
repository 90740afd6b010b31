import { type Context, Hono } from "hono";
import { basicOf } from "../api/auth.ts";
import { EMPTY_CONFIG, hexOf } from "./digest.ts";
import type { SourceStore, StoredManifest } from "./source-store.ts";

export interface SourceRouteDeps {
  readonly sources: SourceStore;
  /** Digests of the manifests that these Basic credentials may read; null: no such execution, or wrong password. */
  readonly reach: (username: string, password: string) => readonly string[] | null;
}

/**
 * Read-only OCI distribution API under `/v2/` for the sources of jobs. An execution's credentials reach the sources of
 * its own job; everything else is 404, as if it did not exist.
 */
export function sourceRoutes(deps: SourceRouteDeps): Hono {
  const app = new Hono();
  const { sources } = deps;

  const reachOf = (c: Context): readonly string[] | null => {
    const given = basicOf(c.req.header("authorization"));
    return given === null ? null : deps.reach(given.username, given.password);
  };

  /** The manifest behind a repository name and, for manifests, a tag or digest. */
  const find = (c: Context, reach: readonly string[], reference: string | null): StoredManifest | null => {
    const repository = c.req.param("repository") ?? "";
    const wanted = reach.find((digest) => {
      const hex = hexOf(digest);
      if (hex === null || hex.slice(0, 16) !== repository) return false;
      return reference === null || reference === digest || reference === hex;
    });
    return wanted === undefined ? null : sources.manifest(wanted);
  };

  app.on(["GET", "HEAD"], "/sources/:repository/manifests/:reference", (c) => {
    const reach = reachOf(c);
    if (reach === null) return unauthorized();
    const stored = find(c, reach, c.req.param("reference"));
    if (stored === null) return problem(404, "MANIFEST_UNKNOWN", "there is no such manifest");
    const headers = {
      ...VERSION,
      "content-type": stored.mediaType,
      "content-length": String(Buffer.byteLength(stored.text)),
      "docker-content-digest": stored.digest,
      etag: `"${stored.digest}"`,
    };
    return new Response(c.req.method === "HEAD" ? null : stored.text, { headers });
  });

  app.on(["GET", "HEAD"], "/sources/:repository/blobs/:digest", async (c) => {
    const reach = reachOf(c);
    if (reach === null) return unauthorized();
    const digest = c.req.param("digest");
    const hex = hexOf(digest);
    const stored = find(c, reach, null);
    if (hex === null || stored === null || !sources.names(stored, digest)) return blobUnknown();
    if (digest === EMPTY_CONFIG.digest) return answerBlob(c, digest, new Blob([EMPTY_CONFIG.body]));
    const size = await sources.blobs.size(hex);
    return size === null ? blobUnknown() : answerBlob(c, digest, Bun.file(sources.blobs.path(hex)), size);
  });

  app.all("*", (c) => {
    if (reachOf(c) === null) return unauthorized();
    // The version check stands at `/v2/`, which a mounted app's `/` does not match.
    const isRoot = /^\/v2\/?$/.test(c.req.path);
    return isRoot ? c.json({}, 200, VERSION) : problem(404, "NAME_UNKNOWN", "there is no such repository");
  });
  return app;
}

const VERSION = { "docker-distribution-api-version": "registry/2.0" };

/** Streams the blob, or the one range that was asked for. */
function answerBlob(c: Context, digest: string, body: Blob, size: number = body.size): Response {
  const headers: Record<string, string> = {
    ...VERSION,
    "content-type": "application/octet-stream",
    "docker-content-digest": digest,
    etag: `"${digest}"`,
    "accept-ranges": "bytes",
  };
  const range = rangeOf(c.req.header("range"), size);
  if (range === "unsatisfiable") {
    return new Response(null, { status: 416, headers: { ...headers, "content-range": `bytes */${size}` } });
  }
  const { start, end } = range ?? { start: 0, end: size };
  headers["content-length"] = String(end - start);
  if (range !== null) headers["content-range"] = `bytes ${start}-${end - 1}/${size}`;
  const part = range === null ? body : body.slice(start, end);
  return new Response(c.req.method === "HEAD" ? null : part, { status: range === null ? 200 : 206, headers });
}

/** One `bytes=` range; several, or another unit, mean the whole blob (RFC 9110 14.2). `end` is exclusive. */
function rangeOf(header: string | undefined, size: number): { start: number; end: number } | "unsatisfiable" | null {
  const found = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? "");
  if (found === null || (found[1] === "" && found[2] === "")) return null;
  const from = found[1] === "" ? Math.max(0, size - Number(found[2])) : Number(found[1]);
  const to = found[1] === "" || found[2] === "" ? size : Math.min(size, Number(found[2]) + 1);
  return from >= to ? "unsatisfiable" : { start: from, end: to };
}

const problem = (status: number, code: string, message: string, headers: Record<string, string> = {}): Response =>
  Response.json({ errors: [{ code, message, detail: null }] }, { status, headers: { ...VERSION, ...headers } });

const blobUnknown = () => problem(404, "BLOB_UNKNOWN", "there is no such blob");

/** A client sends its credentials only after this answer, and remembers that they are wanted. */
const unauthorized = () =>
  problem(401, "UNAUTHORIZED", "credentials of an execution are needed", {
    "www-authenticate": 'Basic realm="runner"',
  });
