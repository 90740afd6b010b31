/** Kubernetes over HTTP: who asks (targets), requests and streams (client), and how kinds are addressed (resources). */
export { type KubeClient, type KubeObject, kubeClient, kubeObject } from "./client.ts";
export type { SpawnCredential } from "./exec-credential.ts";
export { inCluster } from "./in-cluster.ts";
export { isNotFound, KubeError } from "./kube-error.ts";
export { readKubeconfig } from "./kubeconfig.ts";
export { kubeconfigText } from "./kubeconfig-file.ts";
export { basePath, type KubeResource, objectPath, type ResourceFinder, resourceFinder } from "./resources.ts";
export { type KubeTarget, targetSecrets } from "./target.ts";
