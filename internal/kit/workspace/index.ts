/** Private folders, and folders packed as OCI artifacts. */
export { digestOf, EXTRAS, MANIFEST_TYPE, MODES } from "./artifact.ts";
export { freeBytes, makePrivateDir, removeTree } from "./folders.ts";
export { type PackedFolder, packFolder } from "./pack.ts";
export { walkTree } from "./tree.ts";
export { type GetBlob, MAX_MANIFEST_BYTES, parseManifest, unpack } from "./unpack.ts";
