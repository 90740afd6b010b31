import { mkdtempSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { kubejob } from "../../../internal/runner/handlers/kubejob/kubejob.ts";
import { type KubeNode, nodeMissing } from "../../bed/node/node.ts";
import { createHarness, type HarnessOptions } from "../../lib/handler-harness.ts";

const missing = nodeMissing();
/** Without CI a machine that cannot run a node is no failure. */
export const skip = missing !== null && process.env.CI !== "true";

export interface Wanted {
  readonly script?: string;
  /** Of the plan's block, over the others. */
  readonly block?: Record<string, unknown>;
  /** Of the container. */
  readonly container?: Record<string, unknown>;
  /** Of the Job's spec. */
  readonly spec?: Record<string, unknown>;
  readonly user?: "admin" | "limited";
  readonly harness?: Partial<HarnessOptions<never, never>>;
}

/** A whole Job as a job file gives it, around a shell script in busybox. */
export function jobOf({ script = "true", container, spec }: Wanted): Record<string, unknown> {
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    spec: {
      backoffLimit: 0,
      template: {
        spec: {
          restartPolicy: "Never",
          terminationGracePeriodSeconds: 1,
          containers: [
            {
              name: "main",
              image: "localhost/bb:1",
              imagePullPolicy: "Never",
              command: ["/bin/sh", "-c", script],
              env: [{ name: "RUNNER_OUTPUT", value: "/dev/termination-log" }],
              ...container,
            },
          ],
        },
      },
      ...spec,
    },
  };
}

/** One execution of a Job on the node, as the runner's own cluster. */
export function kubejobOn(node: KubeNode, wanted: Wanted) {
  const folder = mkdtempSync(join(dirname(node.kubeconfig), "job-"));
  const kubeconfig = join(folder, "kubeconfig");
  writeFileSync(kubeconfig, node.configFor(wanted.user ?? "admin"), { mode: 0o600 });
  return createHarness({
    handler: kubejob,
    operation: "apply-plan",
    kube: { kubeconfig },
    plan: {
      component_name: "My job!",
      kubernetes_job: { job: jobOf(wanted), start_timeout: 8e9, ...wanted.block },
    },
    ...wanted.harness,
  });
}
