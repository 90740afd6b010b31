import { createHash } from "node:crypto";
import { z } from "zod";

/**
 * A folder as an OCI artifact, in the layout of nuon-handlers.md section 7.1: one layer per file, its path as title.
 * That layout drops modes, links and empty files; ours go into two manifest annotations that other readers ignore.
 * There is no creation time in it, so the same folder always has the same digest.
 */
export const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";
export const CONFIG_TYPE = "artifact/nuon";
export const FILE_TYPE = "file/terraform";
export const TITLE = "org.opencontainers.image.title";
/** `true`: the layer is the archive of the folder that its title names, as `oras push … folder/` makes it. */
export const UNPACK = "io.deis.oras.content.unpack";
/** JSON object: path → octal mode, for every file that is not 644. */
export const MODES = "runner.modes";
/** JSON object of what a layer cannot say, see `extras`. */
export const EXTRAS = "runner.extras";

export const CONFIG_BYTES = new TextEncoder().encode("{}");

/** `sha256:` and 64 hex digits. */
export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, "a sha256 digest");
const descriptor = z.looseObject({
  mediaType: z.string(),
  digest,
  size: z.number().int().min(0),
  annotations: z.record(z.string(), z.string()).nullish(),
});

export const manifestSchema = z.looseObject({
  schemaVersion: z.literal(2),
  mediaType: z.string().nullish(),
  config: descriptor,
  layers: z.array(descriptor),
  annotations: z.record(z.string(), z.string()).nullish(),
});
export type Manifest = z.infer<typeof manifestSchema>;

export const modesSchema = z.record(z.string(), z.string().regex(/^[0-7]{1,3}$/, "an octal mode"));
export const extrasSchema = z.strictObject({
  /** Empty files. */
  files: z.array(z.string()).optional(),
  /** Path of the link → its target, relative and inside the folder. */
  links: z.record(z.string(), z.string()).optional(),
  /** Empty folders. */
  folders: z.array(z.string()).optional(),
});
