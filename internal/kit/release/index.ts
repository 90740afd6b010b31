/** Releases of this program: found in a folder or on a web server, verified, and taken file by file. */
export { findRelease } from "./find.ts";
export { artifactFor, detectPlatform } from "./platform.ts";
export { pinnedReleaseKey, type ReleaseKey, readReleaseKey } from "./release-key.ts";
export { checkFile, takeFile } from "./take-file.ts";
export type { Release } from "./verify.ts";
