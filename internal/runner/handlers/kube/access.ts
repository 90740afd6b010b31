import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import {
  type KubeClient,
  type KubeTarget,
  kubeClient,
  readKubeconfig,
  targetSecrets,
} from "../../../kit/kube/index.ts";
import { RunnerError, reasonOf } from "../../../protocol/errors.ts";
import type { ClusterInfo } from "../../../protocol/nuon/plans.ts";
import type { JobContext } from "../../handler.ts";
import type { CloudJob } from "../cloud-keys.ts";
import { cloudTarget } from "./cloud-target.ts";
import { kubeconfigFile } from "./kubeconfig-file.ts";

/** One cluster as a job may use it. */
export interface KubeAccess {
  readonly client: KubeClient;
  readonly target: KubeTarget;
  /**
   * Path of a kubeconfig in the workspace (0600) for programs such as helm; its token is renewed while the runner
   * lives. Made on first use; asked for again after a restart it is written again at the same place.
   */
  kubeconfig(): Promise<string>;
}

/** What of a job context the access needs. */
export type KubeJob = CloudJob & Pick<JobContext<unknown>, "kube" | "workspace">;

/**
 * The cluster of a plan, or the runner's own when the plan names none (nuon-handlers.md 5.2). Credentials are made for
 * this job, in this process, and registered for redaction. Throws RunnerError (job, environment) with a remedy.
 */
export async function kubeAccess(ctx: KubeJob, info: ClusterInfo | null | undefined): Promise<KubeAccess> {
  const target = observed(await targetOf(ctx, info), ctx);
  // Who cannot make one says so here and once, not in the middle of the work.
  if (target.credential.kind === "token") await target.credential.token();
  return { client: kubeClient(target), target, kubeconfig: kubeconfigFile(ctx, target) };
}

/** A plan that names no cluster carries an empty block or none. */
const namesCluster = (info: ClusterInfo | null | undefined): info is ClusterInfo =>
  Boolean(info?.kube_config?.trim() || info?.endpoint?.trim());

async function targetOf(ctx: KubeJob, info: ClusterInfo | null | undefined): Promise<KubeTarget> {
  if (!namesCluster(info)) return ownCluster(ctx);
  if (info.kube_config?.trim()) {
    const read = readKubeconfig(info.kube_config, { folder: null, spawn: ctx.kube.spawnForJobs });
    if (read.ok) return read.value;
    throw new RunnerError("job", read.error.message, { remedy: PLAN_REMEDY, cause: read.error });
  }
  return cloudTarget(ctx, info);
}

const PLAN_REMEDY =
  "Give a kubeconfig with its data inline (kubectl config view --flatten --minify); programs in it need --kube-exec on the runner.";

function ownCluster({ kube }: KubeJob): KubeTarget {
  if (kube.kubeconfig === null) {
    const pod = kube.pod();
    if (pod !== null) return pod;
    throw new RunnerError("job", "the job names no cluster, and this runner has none of its own", {
      remedy:
        "Start the runner with --kubeconfig FILE (RUNNER_KUBECONFIG), run it as a pod, or give the job a cluster.",
    });
  }
  const read = readKubeconfig(ownText(kube.kubeconfig), { folder: dirname(kube.kubeconfig), spawn: kube.spawn });
  if (read.ok) return read.value;
  throw new RunnerError("environment", `${kube.kubeconfig}: ${read.error.message}`, {
    remedy: "Correct the file of the runner's --kubeconfig (RUNNER_KUBECONFIG).",
    cause: read.error,
  });
}

function ownText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new RunnerError("environment", `the runner's kubeconfig cannot be read: ${reasonOf(cause)}`, {
      remedy: "Correct --kubeconfig (RUNNER_KUBECONFIG) of the runner.",
      cause,
    });
  }
}

/** Every token is registered before anything can print it. */
function observed(target: KubeTarget, { secrets }: KubeJob): KubeTarget {
  secrets.register(...targetSecrets(target));
  const { credential } = target;
  if (credential.kind !== "token") return target;
  let last = "";
  const token = async () => {
    const value = await credential.token();
    if (value !== last) secrets.register(value);
    last = value;
    return value;
  };
  return { ...target, credential: { kind: "token", token } };
}
