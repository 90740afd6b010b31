import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { type Finding, findings } from "./finding.ts";

export interface PlaceWish {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stateDir: string;
  /** A cluster for jobs that name none is set. */
  readonly kubeconfig: boolean;
}

const ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";
const TOKEN = `${ACCOUNT}/token`;

/** What surrounds the process: a machine of its own, a container, a pod, a task of ECS; and what it needs there. */
export async function checkPlace(wish: PlaceWish): Promise<Finding[]> {
  const { env } = wish;
  const pod = Boolean(env.KUBERNETES_SERVICE_HOST);
  const task = env.ECS_CONTAINER_METADATA_URI_V4;
  const engine = engineAround();
  if (!pod && task === undefined && engine === null) return [whichPlace(env)];
  return [
    whichPlace(env),
    checkVolume(wish.stateDir, pod),
    ...(pod ? [checkAccount(wish.kubeconfig)] : []),
    ...(task === undefined ? [] : [await checkTask(task, env)]),
  ];
}

/** Where this process finds itself. */
export function whichPlace(env: PlaceWish["env"]): Finding {
  const say = findings("place");
  if (env.KUBERNETES_SERVICE_HOST) {
    const namespace = existsSync(`${ACCOUNT}/namespace`) ? readFileSync(`${ACCOUNT}/namespace`, "utf8").trim() : "";
    return say.ok(`a pod of Kubernetes${namespace ? `, namespace ${namespace}` : ""}`);
  }
  if (env.ECS_CONTAINER_METADATA_URI_V4 !== undefined) return say.ok("a task of ECS");
  const engine = engineAround();
  if (engine !== null) return say.ok(`a container of ${engine}, by itself or of Compose`);
  if (existsSync("/run/systemd/system")) return say.ok("a machine with systemd");
  return say.ok("a machine without systemd: what starts the runner again is up to you");
}

/** null: this is no container of these. */
function engineAround(): "podman" | "docker" | null {
  if (existsSync("/run/.containerenv")) return "podman";
  return existsSync("/.dockerenv") ? "docker" : null;
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
