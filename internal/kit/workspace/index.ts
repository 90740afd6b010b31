/** Private folders, and folders packed as OCI artifacts. */
export {
  CONFIG_TYPE,
  digestOf,
  EXTRAS,
  FILE_TYPE,
  MANIFEST_TYPE,
  type Manifest,
  MODES,
  manifestSchema,
  TITLE,
} from "./artifact.ts";
export { freeBytes, makePrivateDir, removeTree } from "./folders.ts";
export { type PackedBlob, type PackedFolder, type PackOptions, packFolder } from "./pack.ts";
export {
  type GetBlob,
  MAX_MANIFEST_BYTES,
  parseManifest,
  type Unpacked,
  type UnpackOptions,
  unpack,
} from "./unpack.ts";
