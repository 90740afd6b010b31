import { existsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { type Finding, findings } from "./finding.ts";

export interface PlaceWish {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stateDir: string;
  /** A cluster for jobs that name none is set. */
  readonly kubeconfig: boolean;
}

const TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/** What surrounds the process: a container, a pod, a task of ECS. Nothing to say on a machine of its own. */
export async function checkPlace(wish: PlaceWish): Promise<Finding[]> {
  const { env } = wish;
  const pod = Boolean(env.KUBERNETES_SERVICE_HOST);
  const task = env.ECS_CONTAINER_METADATA_URI_V4;
  const contained = pod || task !== undefined || existsSync("/run/.containerenv") || existsSync("/.dockerenv");
  if (!contained) return [];
  return [
    checkVolume(wish.stateDir, pod),
    ...(pod ? [checkAccount(wish.kubeconfig)] : []),
    ...(task === undefined ? [] : [await checkTask(task, env)]),
  ];
}

/** What lies in the container's own layer ends with the container, and with it what runs and its reports. */
function checkVolume(stateDir: string, pod: boolean): Finding {
  const say = findings("state volume");
  const layer = statSync("/").dev;
  const there = nearest(stateDir);
  if (statSync(there).dev !== layer) return say.ok(`${stateDir} lies on a volume of its own`);
  const how = pod ? "a volume of the pod (the chart's `state`)" : "a volume (`-v runner-state:/var/lib/runner`)";
  return say.warning(
    `${stateDir} lies in the container's own layer: what a job has not reported yet is lost with the container`,
    `Mount ${how} and name a folder on it with --state-dir.`,
  );
}

const nearest = (path: string): string => (existsSync(path) || dirname(path) === path ? path : nearest(dirname(path)));

function checkAccount(kubeconfig: boolean): Finding {
  const say = findings("service account");
  if (existsSync(TOKEN)) return say.ok("its token is mounted; jobs that name no cluster work with its rights");
  if (kubeconfig) return say.ok("not mounted; jobs that name no cluster use --kubeconfig");
  return say.warning(
    "the pod has no token of its service account: jobs that name no cluster would fail",
    "Set `automountServiceAccountToken` (the chart's `serviceAccount.automount`), or give --kubeconfig.",
  );
}

const ANSWER_MS = 3_000;

async function checkTask(url: string, env: PlaceWish["env"]): Promise<Finding> {
  const say = findings("ECS task");
  const remedy =
    "Let the container reach 169.254.170.2: no proxy for it (NO_PROXY), and network mode awsvpc or bridge.";
  try {
    const answer = await fetch(`${url}/task`, { signal: AbortSignal.timeout(ANSWER_MS) });
    if (!answer.ok) return say.failed(`the task's metadata answer ${answer.status}`, remedy);
  } catch {
    return say.failed("the task's metadata do not answer", remedy);
  }
  if (env.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI || env.AWS_CONTAINER_CREDENTIALS_FULL_URI) {
    return say.ok("metadata answer, and the task has a role");
  }
  return say.warning(
    "the task has no role: jobs that use AWS with the runner's own identity would fail",
    "Name a task role in the task definition (`taskRoleArn`).",
  );
}
