/** Read-only OCI registry client: pulls packed folders. */
export { type Fetch, fetchRetry, resumingBody } from "./fetch-retry.ts";
export { type Pulled, type PullOptions, pullArtifact } from "./pull.ts";
export { type ArtifactSource, artifactSource, type Credentials } from "./reference.ts";
