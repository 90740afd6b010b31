import { join } from "node:path";
import { z } from "zod";
import type { Clock } from "../../kit/base/clock.ts";
import { fail, ok, type Result, RunnerError } from "../../protocol/errors.ts";
import type { Db } from "../store/db.ts";
import { type BlobFiles, createBlobFiles } from "./blob-files.ts";
import { EMPTY_CONFIG, hexOf, sha256 } from "./digest.ts";

/** Limits of uploads in bytes. */
const BLOB_LIMIT = 512 * 1024 * 1024;
const SOURCE_LIMIT = 1024 * 1024 * 1024;
export const MANIFEST_LIMIT = 8 * 1024 * 1024;

const TITLE = "org.opencontainers.image.title";
export const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";

const descriptor = z.looseObject({
  mediaType: z.string().min(1),
  digest: z.string(),
  size: z.number().int().min(0),
  annotations: z.record(z.string(), z.string()).optional(),
});

const manifest = z.looseObject({
  schemaVersion: z.literal(2),
  mediaType: z.literal(MANIFEST_TYPE).optional(),
  config: descriptor,
  layers: z.array(descriptor).max(100_000),
});

export interface StoredManifest {
  readonly digest: string;
  readonly text: string;
  readonly mediaType: string;
}

/** Packed folders: a manifest by digest and the blobs it names. Written once, never changed. */
export interface SourceStore {
  readonly blobs: BlobFiles;
  putBlob(digest: string, body: ReadableStream<Uint8Array> | null): Promise<Result<number>>;
  /** `missing` lists blobs to upload first; then nothing was stored. */
  putManifest(digest: string, bytes: Uint8Array): Promise<Result<{ readonly missing: readonly string[] }>>;
  manifest(digest: string): StoredManifest | null;
  /** Whether the packed folder has a file of this path. false: there is no such source. */
  hasFile(digest: string, path: string): boolean;
  /** Whether `blob` belongs to the manifest. */
  names(manifest: StoredManifest, blob: string): boolean;
  /** Marks as used now; a later clean-up goes by it. Inside a transaction. */
  touch(digests: readonly string[]): void;
}

export function createSourceStore(deps: {
  readonly db: Db;
  readonly clock: Clock;
  readonly dataDir: string;
}): SourceStore {
  const { db, clock } = deps;
  const blobs = createBlobFiles(join(deps.dataDir, "sources"), BLOB_LIMIT);
  const read = db.prepare<{ manifest: string; media_type: string }, [string]>(
    "SELECT manifest, media_type FROM sources WHERE digest = ?",
  );
  const insert = db.prepare<unknown, [string, string, string, number, number]>(
    "INSERT OR IGNORE INTO sources (digest, manifest, media_type, created_at, used_at) VALUES (?, ?, ?, ?, ?)",
  );
  const insertBlob = db.prepare<unknown, [string, number, number]>(
    "INSERT OR IGNORE INTO source_blobs (digest, bytes, created_at) VALUES (?, ?, ?)",
  );
  const use = db.prepare<unknown, [number, string]>("UPDATE sources SET used_at = ? WHERE digest = ?");
  /** Which blobs a manifest names, of the manifests asked for last: a pull asks once per file. */
  const named = new Map<string, ReadonlySet<string>>();

  return {
    blobs,
    putBlob: async (digest, body) => {
      const written = await blobs.write(digest, body);
      if (written.ok) await db.group(() => insertBlob.run(digest, written.value, clock.now()));
      return written;
    },
    putManifest: async (digest, bytes) => {
      const checked = checkManifest(digest, bytes);
      if (!checked.ok) return checked;
      const found = await missingBlobs(checked.value, blobs);
      if (!found.ok || found.value.length > 0) return found.ok ? ok({ missing: found.value }) : found;
      const text = new TextDecoder().decode(bytes);
      const now = clock.now();
      await db.group(() => insert.run(digest, text, checked.value.mediaType ?? MANIFEST_TYPE, now, now), "full");
      return ok({ missing: [] });
    },
    manifest: (digest) => {
      const row = read.get(digest);
      return row === null ? null : { digest, text: row.manifest, mediaType: row.media_type };
    },
    hasFile: (digest, path) => {
      const row = read.get(digest);
      const layers = row === null ? [] : manifest.parse(JSON.parse(row.manifest)).layers;
      return layers.some(({ annotations }) => annotations?.[TITLE] === path);
    },
    names: (stored, blob) => {
      const known = named.get(stored.digest) ?? digestsOf(manifest.parse(JSON.parse(stored.text)));
      named.delete(stored.digest);
      named.set(stored.digest, known);
      for (const oldest of named.keys()) {
        if (named.size <= 16) break;
        named.delete(oldest);
      }
      return known.has(blob);
    },
    touch: (digests) => {
      for (const digest of digests) use.run(clock.now(), digest);
    },
  };
}

type Manifest = z.infer<typeof manifest>;

const digestsOf = (document: Manifest) =>
  new Set([document.config.digest, ...document.layers.map((layer) => layer.digest)]);

function checkManifest(digest: string, bytes: Uint8Array): Result<Manifest> {
  if (hexOf(digest) === null) return refuse(`"${digest}" is not a digest of the form sha256:<hex>`);
  const found = sha256(bytes);
  if (found !== digest) return refuse(`the manifest's digest is ${found}, not ${digest}`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return refuse("the manifest is not JSON in UTF-8");
  }
  const parsed = manifest.safeParse(value);
  if (!parsed.success) return refuse(`the manifest is not an OCI image manifest: ${parsed.error.issues[0]?.message}`);
  const total = parsed.data.layers.reduce((sum, layer) => sum + layer.size, 0);
  return total > SOURCE_LIMIT ? refuse(`the source holds ${total} bytes; at most ${SOURCE_LIMIT}`) : ok(parsed.data);
}

async function missingBlobs(document: Manifest, blobs: BlobFiles): Promise<Result<string[]>> {
  const missing: string[] = [];
  const sizes = new Map([document.config, ...document.layers].map((one) => [one.digest, one.size]));
  for (const [digest, size] of sizes) {
    if (digest === EMPTY_CONFIG.digest) continue;
    const hex = hexOf(digest);
    if (hex === null) return refuse(`the manifest names "${digest}", which is not a sha256 digest`);
    const stored = await blobs.size(hex);
    if (stored === null) missing.push(digest);
    else if (stored !== size) return refuse(`the manifest says ${size} bytes for ${digest}, which has ${stored}`);
  }
  return ok(missing);
}

const refuse = (message: string): Result<never> => fail(new RunnerError("usage", message));
