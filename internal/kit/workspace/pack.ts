import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { RunnerError } from "../../protocol/errors.ts";
import { CONFIG_BYTES, CONFIG_TYPE, digestOf, EXTRAS, FILE_TYPE, MANIFEST_TYPE, MODES, TITLE } from "./artifact.ts";
import { type FolderEntries, walkFolder } from "./walk.ts";

export interface PackOptions {
  readonly include?: readonly string[] | undefined;
  /** Default `.runnerignore`. */
  readonly ignoreFile?: string;
  /** Default 256 MiB. */
  readonly maxBytes?: number;
  /** Default 20,000. */
  readonly maxFiles?: number;
}

export interface PackedBlob {
  readonly digest: string;
  readonly size: number;
  /** Absolute path of a file with this content; null for the config blob. */
  readonly path: string | null;
  open(): ReadableStream<Uint8Array>;
}

export interface PackedFolder {
  /** The manifest exactly as its digest was taken. */
  readonly manifest: Uint8Array<ArrayBuffer>;
  /** `sha256:…` of the manifest: equal folders have equal digests. */
  readonly digest: string;
  /** Each content once, config included; nothing of it is held in memory. */
  readonly blobs: readonly PackedBlob[];
}

/**
 * Packs a folder for upload (DESIGN section 3). Throws RunnerError `usage` for a folder that is missing, too large, or
 * has a link out of it, a socket or a device in it.
 */
export async function packFolder(root: string, options: PackOptions = {}): Promise<PackedFolder> {
  const entries = await walkFolder(root, {
    include: options.include,
    ignoreFile: options.ignoreFile ?? ".runnerignore",
    maxBytes: options.maxBytes ?? 256 * 1_048_576,
    maxFiles: options.maxFiles ?? 20_000,
  });
  const blobs = new Map<string, PackedBlob>();
  const config = { digest: digestOf(CONFIG_BYTES), size: CONFIG_BYTES.length };
  blobs.set(config.digest, { ...config, path: null, open: () => new Blob([CONFIG_BYTES]).stream() });
  const layers: object[] = [];
  for (const file of entries.files) {
    if (file.size === 0) continue;
    const path = join(root, file.path);
    const { digest, size } = await hashFile(path);
    if (!blobs.has(digest)) blobs.set(digest, { digest, size, path, open: () => Bun.file(path).stream() });
    layers.push({ mediaType: FILE_TYPE, digest, size, annotations: { [TITLE]: file.path } });
  }
  const manifest = new TextEncoder().encode(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      config: { mediaType: CONFIG_TYPE, ...config },
      layers,
      annotations: annotationsOf(entries),
    }),
  );
  return { manifest, digest: digestOf(manifest), blobs: [...blobs.values()] };
}

function annotationsOf(entries: FolderEntries): Record<string, string> {
  const modes = entries.files.filter((file) => file.mode !== 0o644);
  return {
    [MODES]: JSON.stringify(Object.fromEntries(modes.map((file) => [file.path, file.mode.toString(8)]))),
    [EXTRAS]: JSON.stringify({
      files: entries.files.filter((file) => file.size === 0).map((file) => file.path),
      links: Object.fromEntries(entries.links.map((link) => [link.path, link.target])),
      folders: entries.empty,
    }),
  };
}

async function hashFile(path: string): Promise<{ digest: string; size: number }> {
  const hash = createHash("sha256");
  let size = 0;
  try {
    for await (const chunk of createReadStream(path)) {
      hash.update(chunk);
      size += chunk.length;
    }
  } catch (cause) {
    throw new RunnerError("usage", `${path} cannot be read`, { remedy: "check its permissions", cause });
  }
  return { digest: `sha256:${hash.digest("hex")}`, size };
}
