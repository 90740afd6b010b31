/** Kubernetes manifests: read, put in order, and told whether the cluster has made them work. */
export { inWaves } from "./order.ts";
export { MANIFEST_LIMIT, type ManifestObject, parseManifest } from "./parse.ts";
export { type Readiness, readinessOf } from "./readiness.ts";
