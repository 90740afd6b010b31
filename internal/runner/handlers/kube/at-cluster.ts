import type { KubeTarget } from "../../../kit/kube/index.ts";
import { RunnerError } from "../../../protocol/errors.ts";

/** Throws what `work` throws; that the cluster did not answer is told with its address. */
export async function atCluster<T>({ server }: KubeTarget, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof RunnerError) || error.kind !== "unreachable") throw error;
    throw new RunnerError("unreachable", `the cluster at ${server}: ${error.message}`, {
      remedy: error.remedy ?? "Check the address in the kubeconfig, and that the runner's network reaches it.",
      cause: error,
    });
  }
}
