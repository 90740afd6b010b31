import type { KubeClient } from "../../../kit/kube/index.ts";
import type { JobContext } from "../../handler.ts";
import type { KubeAccess } from "../kube/access.ts";
import type { HelmWork } from "./helm-work.ts";

/** Where helm keeps its releases, as it reaches them. */
export interface HelmStorage {
  /** For helm: path of a kubeconfig. */
  readonly kubeconfig: () => Promise<string>;
  /** For us: answers the same records. */
  readonly client: KubeClient;
  close(): Promise<void>;
}

export async function openStorage(
  _ctx: JobContext<unknown>,
  _work: HelmWork,
  access: KubeAccess,
): Promise<HelmStorage> {
  return { kubeconfig: access.kubeconfig, client: access.client, close: () => Promise.resolve() };
}
