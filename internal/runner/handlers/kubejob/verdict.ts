import { type ContainerStatus, conditionOf, type Look, type Pod, podIsOver, statusesOf } from "./shapes.ts";

/** What a moment of a Job means for the job that waits for it. */
export type Verdict =
  | { readonly state: "going"; readonly started: boolean; readonly trouble: Trouble | null }
  | { readonly state: "succeeded"; readonly code: number }
  /** `code` null: no container of it ended by itself. */
  | { readonly state: "failed"; readonly code: number | null; readonly reason: string; readonly remedy?: string };

/** Why it does not start. */
export interface Trouble {
  readonly reason: string;
  readonly remedy: string;
  /** Waiting does not help. */
  readonly hopeless: boolean;
}

export function verdictOf(look: Look): Verdict {
  const last = look.pods.at(-1);
  if (conditionOf(look.job, "Complete") !== null) return { state: "succeeded", code: 0 };
  const failed = conditionOf(look.job, "Failed");
  if (failed !== null) return failure(look.pods, failed);
  const started = last !== undefined && statusesOf(last).some(({ state }) => state?.running || state?.terminated);
  return { state: "going", started, trouble: last === undefined ? noPod(look) : podTrouble(last, look) };
}

function failure(
  pods: readonly Pod[],
  failed: { readonly reason?: string | null | undefined; readonly message?: string | null | undefined },
): Verdict {
  if (failed.reason === "DeadlineExceeded") {
    const remedy =
      "Raise the job's timeout (or activeDeadlineSeconds of its Job), or find out in the log what it waits for.";
    return { state: "failed", code: null, reason: "the Kubernetes Job ran longer than its deadline", remedy };
  }
  for (const pod of [...pods].reverse()) {
    const ended = podEnd(pod);
    if (ended === null) continue;
    const times = pods.length > 1 ? ` (the last of ${pods.length} pods)` : "";
    return { state: "failed", ...ended, reason: `${ended.reason}${times}` };
  }
  return {
    state: "failed",
    code: null,
    reason: `the Kubernetes Job failed: ${failed.message || failed.reason || "no reason given"}`,
  };
}

/** How a pod that failed has failed; null: it did not. */
export function podEnd(
  pod: Pod,
): { readonly code: number | null; readonly reason: string; readonly remedy?: string } | null {
  const bad = statusesOf(pod).find(({ state }) => state?.terminated && state.terminated.exitCode !== 0);
  const terminated = bad?.state?.terminated;
  if (bad && terminated)
    return { code: terminated.exitCode, ...containerEnd(bad, terminated, memoryLimit(pod, bad.name)) };
  if (!podIsOver(pod) || pod.status?.phase === "Succeeded") return null;
  const why = [pod.status?.reason, pod.status?.message].filter(Boolean).join(": ");
  return { code: null, reason: `the pod failed: ${why || "no reason given"}` };
}

type Terminated = NonNullable<NonNullable<ContainerStatus["state"]>["terminated"]>;

const memoryLimit = (pod: Pod, container: string) =>
  pod.spec.containers.find(({ name }) => name === container)?.resources?.limits?.memory ?? null;

function containerEnd(
  { name }: ContainerStatus,
  ended: Terminated,
  limit: string | null,
): { reason: string; remedy?: string } {
  const who = `container "${name}"`;
  const remedy = "Raise the memory limit (resources.memory of the job), or make it need less.";
  if (ended.reason === "OOMKilled") {
    return { reason: `${who} was killed because it used more memory than its limit`, remedy };
  }
  if (ended.reason === "StartError" || ended.reason === "ContainerCannotRun") {
    const remedy = "Check the command and the working folder against what the image has.";
    return { reason: `${who} could not be started: ${oneLine(ended.message)}`, remedy };
  }
  const { exitCode } = ended;
  const signal = ended.signal || (exitCode > 128 && exitCode < 193 ? exitCode - 128 : 0);
  const reason = `${who} exited with ${exitCode}${signal ? ` (signal ${signal})` : ""}`;
  // On cgroup v1 the kernel's word that it was the memory may come after the end, and is lost then.
  if (exitCode === 137 && limit !== null) {
    return { reason: `${reason}, as when memory is used up (its limit is ${limit})`, remedy };
  }
  return { reason };
}

function noPod({ warnings }: Look): Trouble | null {
  const said = warnings.findLast((one) => one.reason === "FailedCreate");
  if (said === undefined) return null;
  const message = oneLine(said.message);
  const remedy = /exceeded quota/.test(message)
    ? "Free quota in the namespace, or ask for less (resources of the job)."
    : /serviceaccount .* not found/i.test(message)
      ? "Make the service account, or name one that the namespace has."
      : "Correct what the cluster refuses in the Job's pod.";
  return { reason: `the cluster makes no pod: ${message}`, remedy, hopeless: false };
}

/** Words of a container that waits (kubelet, images and containers), and what a person does about them. */
const WAITING: Readonly<Record<string, { readonly hopeless: boolean; readonly remedy: string }>> = {
  ErrImagePull: { hopeless: false, remedy: "Check the image's name and tag, the registry, and pull_secrets." },
  ImagePullBackOff: { hopeless: false, remedy: "Check the image's name and tag, the registry, and pull_secrets." },
  InvalidImageName: { hopeless: true, remedy: "Correct the image's name: host/repository:tag." },
  ErrImageNeverPull: { hopeless: true, remedy: "Put the image on the node, or choose another pull_policy than Never." },
  CreateContainerConfigError: { hopeless: false, remedy: "Make the Secret or ConfigMap that the container names." },
  CreateContainerError: { hopeless: false, remedy: "Check command, working folder and volumes against the image." },
  RunContainerError: { hopeless: false, remedy: "Check command, working folder and volumes against the image." },
};

function podTrouble(pod: Pod, { warnings }: Look): Trouble | null {
  for (const { name, image, state } of statusesOf(pod)) {
    const { reason, message } = state?.waiting ?? {};
    const known = WAITING[reason ?? ""];
    if (!reason || known === undefined) continue;
    const about = /Image/.test(reason)
      ? `the image ${image} of container "${name}" cannot be had`
      : `container "${name}" cannot be started`;
    return { reason: `${about} (${reason}): ${pulled(message, warnings)}`, ...known };
  }
  const unplaced = pod.status?.conditions?.find((one) => one.type === "PodScheduled" && one.status === "False");
  if (unplaced?.reason === "Unschedulable") {
    const remedy = "Ask for less (resources, node_selector), or give the cluster a node that fits.";
    return { reason: `no node can take the pod: ${oneLine(unplaced.message)}`, remedy, hopeless: false };
  }
  const stuck = warnings.findLast((one) =>
    ["FailedMount", "FailedCreatePodSandBox", "FailedAttachVolume"].includes(one.reason ?? ""),
  );
  if (stuck === undefined || statusesOf(pod).some(({ state }) => state?.running || state?.terminated)) return null;
  const remedy = "Correct what the message names; `kubectl describe pod` shows more.";
  return { reason: `the pod does not start (${stuck.reason}): ${oneLine(stuck.message)}`, remedy, hopeless: false };
}

/** A back-off says only that there was an error; the event before it says which. */
function pulled(message: string | null | undefined, warnings: Look["warnings"]): string {
  const why = warnings.findLast(
    (one) => one.reason === "Failed" && /Failed to pull|Error: .*[Ii]mage/.test(one.message ?? ""),
  );
  const best = /^Back-off/.test(message ?? "") ? why?.message : message;
  return oneLine(best || message);
}

const oneLine = (text: string | null | undefined) =>
  (text ?? "").replace(/\s+/g, " ").trim().slice(0, 400) || "no message";
