import { looksSecretVariable } from "../../kit/secrets/names.ts";
import { ok, type Result } from "../../protocol/errors.ts";
import { newId } from "../../protocol/ids.ts";
import type { JobDeploySpec } from "../../protocol/job-specs/job-deploy.ts";
import { msToNs } from "../../protocol/nuon/base.ts";
import type { DeployPlan } from "../../protocol/nuon/plans.ts";
import type { Submission } from "../../protocol/operator.ts";
import { compileCluster } from "./cluster.ts";
import { plainEnv } from "./env.ts";

/** Seconds between TERM and KILL, as for every other program. */
const GRACE_S = 10;

/** DeployPlan of a Kubernetes Job: the block `kubernetes_job` is ours, no Go runner works such a job. */
export function compileJobDeploy(spec: JobDeploySpec, submission: Submission, name: string): Result<DeployPlan> {
  const cluster = compileCluster(spec.cluster, "spec.cluster");
  if (!cluster.ok) return cluster;
  const env = plainEnv(spec.env, "spec.env");
  if (!env.ok) return env;
  const hidden = (key: string) => (submission.sensitive ?? []).includes(key) || looksSecretVariable(key);
  const entries = Object.entries(env.value);
  return ok({
    install_id: newId("install"),
    component_id: newId("component"),
    component_name: name,
    kubernetes_job: {
      cluster_info: cluster.value.info,
      namespace: spec.namespace ?? "",
      job: spec.job ?? jobOf(spec),
      env_vars: Object.fromEntries(entries.filter(([key]) => !hidden(key))),
      secret_env_vars: Object.fromEntries(entries.filter(([key]) => hidden(key))),
      start_timeout: spec.start_timeout === undefined ? 0 : msToNs(spec.start_timeout),
      keep: spec.keep === undefined ? 0 : msToNs(spec.keep),
    },
  });
}

/** The Job around one image, with what the restricted profile of Kubernetes asks of a container that may be root. */
function jobOf(spec: JobDeploySpec): Record<string, unknown> {
  const container = {
    name: "main",
    image: spec.image,
    ...(spec.command === undefined ? {} : { command: spec.command.map(verbatim) }),
    ...(spec.args === undefined ? {} : { args: spec.args.map(verbatim) }),
    ...(spec.working_dir === undefined ? {} : { workingDir: spec.working_dir }),
    ...(spec.pull_policy === undefined ? {} : { imagePullPolicy: spec.pull_policy }),
    // What is written there comes back as the container's termination message, 4 KiB at most.
    env: [{ name: "RUNNER_OUTPUT", value: "/dev/termination-log" }],
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
      seccompProfile: { type: "RuntimeDefault" },
    },
  };
  const account =
    spec.service_account === undefined
      ? { automountServiceAccountToken: false }
      : { serviceAccountName: spec.service_account };
  const pod = {
    restartPolicy: "Never",
    terminationGracePeriodSeconds: spec.grace === undefined ? GRACE_S : Math.ceil(spec.grace / 1000),
    ...account,
    ...(spec.node_selector === undefined ? {} : { nodeSelector: spec.node_selector }),
    ...(spec.pull_secrets === undefined ? {} : { imagePullSecrets: spec.pull_secrets.map((one) => ({ name: one })) }),
    containers: [container],
  };
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    spec: { backoffLimit: (spec.attempts ?? 1) - 1, template: { spec: pod } },
  };
}

/** Kubernetes would put variables in place of $(NAME); a job file's words are what they are. */
const verbatim = (text: string) => text.replaceAll("$", () => "$$");
