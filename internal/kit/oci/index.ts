/** Read-only OCI registry client: pulls packed folders. */
export { type Fetch, fetchRetry, placeOf, resumingBody } from "./fetch-retry.ts";
export { pullArtifact } from "./pull.ts";
export { type ArtifactSource, artifactSource } from "./reference.ts";
