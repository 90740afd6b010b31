/** Releases of this program: found in a folder or on a web server, verified, and taken file by file. */
export { findRelease, type ReleaseQuery } from "./find.ts";
export { artifactFile, type ReleaseArtifact, type ReleaseManifest, releaseManifest } from "./manifest.ts";
export { artifactFor, detectPlatform, type Platform } from "./platform.ts";
export { PINNED_RELEASE_KEY, pinnedReleaseKey, type ReleaseKey, readReleaseKey } from "./release-key.ts";
export { openSource, type ReleaseSource } from "./source.ts";
export { checkFile, type TakeOptions, takeFile } from "./take-file.ts";
export { type Release, verifyRelease } from "./verify.ts";
