import { z } from "zod";
import { clusterSpec } from "../cluster-spec.ts";
import { duration, sourceSpec } from "../job-file.ts";

/** `spec` of a `kubernetes-manifest-deploy` job file: objects that a cluster shall have. */
export const kubernetesManifestSpec = z
  .strictObject({
    manifest: z.string().min(1).optional().describe("the objects, one YAML document each; or source"),
    source: sourceSpec
      .optional()
      .describe("folder whose *.yaml, *.yml and *.json are the manifest, by name; or manifest"),
    cluster: clusterSpec.optional(),
    namespace: z
      .string()
      .max(63)
      .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, "lower case letters, digits and dashes")
      .optional()
      .describe("of objects that name none. Default: default"),
    set: z
      .string()
      .max(50)
      .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, "lower case letters, digits and dashes")
      .optional()
      .describe("name under which the cluster remembers what was applied (a ConfigMap); prune needs it"),
    prune: z
      .boolean()
      .optional()
      .describe("remove what the last apply of the set made and this manifest has no more. Default: false"),
    force_conflicts: z
      .boolean()
      .optional()
      .describe("take fields that another manager owns; the plan names them. Default: false, such a plan fails"),
    wait: z.boolean().optional().describe("wait until everything is ready, or gone. Default: true"),
    wait_timeout: duration.optional().describe("how long, shorter than the job's timeout, such as 5m. Default: 5m"),
    propagation: z
      .enum(["foreground", "background", "orphan"])
      .optional()
      .describe("what happens to dependents of what is removed. Default: foreground, they go first"),
  })
  .superRefine((spec, ctx) => {
    if ((spec.manifest === undefined) === (spec.source === undefined)) {
      ctx.addIssue({ code: "custom", message: "exactly one of manifest and source says what to apply" });
    }
    if (spec.prune === true && spec.set === undefined) {
      ctx.addIssue({ code: "custom", path: ["prune"], message: "prune needs a name for what was applied: set" });
    }
    if (spec.wait === false && spec.wait_timeout !== undefined) {
      ctx.addIssue({ code: "custom", path: ["wait_timeout"], message: "nothing is waited for: wait is false" });
    }
  });
export type KubernetesManifestSpec = z.infer<typeof kubernetesManifestSpec>;
