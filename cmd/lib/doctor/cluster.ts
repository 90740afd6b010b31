import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { z } from "zod";
import { type KubeTarget, kubeClient, readKubeconfig } from "../../../internal/kit/kube/index.ts";
import { reasonOf } from "../../../internal/protocol/errors.ts";
import type { KubeSettings } from "../../../internal/runner/handler.ts";
import { type Finding, findings } from "./finding.ts";

const ANSWER_MS = 10_000;
const serverVersion = z.looseObject({ gitVersion: z.string() });

/** The runner's own cluster, as jobs that name none would meet it: can it be reached, and does it know us? */
export async function checkCluster({ kubeconfig, pod, spawn }: KubeSettings): Promise<Finding> {
  const say = findings("cluster");
  const remedy = "Correct the file of --kubeconfig (RUNNER_KUBECONFIG).";
  let target: KubeTarget | null;
  if (kubeconfig === null) target = pod();
  else {
    try {
      const read = readKubeconfig(readFileSync(kubeconfig, "utf8"), { folder: dirname(kubeconfig), spawn });
      if (!read.ok) return say.failed(`${kubeconfig}: ${read.error.message}`, remedy);
      target = read.value;
    } catch (error) {
      return say.failed(`${kubeconfig} cannot be read: ${reasonOf(error)}`, remedy);
    }
  }
  if (target === null) return say.ok("none of its own; only jobs for Kubernetes that name no cluster would need one");
  return await ask(target, kubeconfig ?? "the pod's service account");
}

async function ask(target: KubeTarget, from: string): Promise<Finding> {
  const say = findings("cluster");
  const signal = AbortSignal.timeout(ANSWER_MS);
  const client = kubeClient(target);
  const { server } = target;
  const review = {
    method: "POST",
    path: "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    body: {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectAccessReview",
      spec: {
        resourceAttributes: {
          verb: "create",
          group: "batch",
          resource: "jobs",
          namespace: target.namespace ?? "default",
        },
      },
    },
    signal,
  } as const;
  const version = await client.request({ method: "GET", path: "/version", signal }, serverVersion);
  if (!version.ok) {
    const why = signal.aborted ? `no answer in ${ANSWER_MS / 1_000} s` : version.error.message;
    return say.failed(`${server} (${from}): ${why}`, "Try `kubectl version` with the same file from this machine.");
  }
  const text = `Kubernetes ${version.value.gitVersion} at ${server}, by ${from}`;
  const may = await client.request(review, accessReview);
  if (!may.ok) return say.failed(`${text}: ${may.error.message}`, "Renew the credentials of the kubeconfig.");
  if (may.value.status.allowed) return say.ok(text);
  return say.warning(
    `${text}; its user may not create jobs in ${target.namespace ?? "default"}`,
    "Fine when jobs work elsewhere; else bind a role to it that may, as `kubectl auth can-i --list` shows.",
  );
}

const accessReview = z.looseObject({ status: z.looseObject({ allowed: z.boolean() }) });
