import { z } from "zod";
import { clusterSpec } from "../cluster-spec.ts";
import { duration, secretRef, sourceSpec } from "../job-file.ts";

const DNS_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

/** `spec` of a `helm-chart-deploy` job file: one release of one chart. */
export const helmSpec = z.strictObject({
  source: sourceSpec.describe("the chart: its folder, or an OCI artifact that `helm push` made"),
  release: z
    .string()
    .max(53)
    .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/, "lower case letters, digits, dashes")
    .describe("name of the release"),
  cluster: clusterSpec.optional(),
  namespace: z
    .string()
    .max(63)
    .regex(DNS_NAME, "lower case letters, digits and dashes")
    .optional()
    .describe("of the release. Default: default"),
  create_namespace: z.boolean().optional().describe("make the namespace when it is missing. Default: true"),
  version: z
    .string()
    .regex(/^\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?$/, "an exact version such as 3.19.0 or 4.3.1")
    .optional()
    .describe("exact version of helm, 3 or 4; the helm on PATH when left out"),
  values_files: z
    .array(z.string())
    .optional()
    .describe("values files, relative to the job file; a later one wins, as with helm -f"),
  values: z.record(z.string(), z.unknown()).optional().describe("values in place; they win over values_files"),
  set: z
    .record(z.string().min(1), z.union([z.string(), z.number(), z.boolean(), secretRef]))
    .optional()
    .describe(
      "single values by path, such as db.password or hosts[0]; they win over values; a secret is { env: NAME } or { file: PATH }",
    ),
  storage: z
    .enum(["secret", "configmap", "nuon"])
    .optional()
    .describe("where helm keeps its releases: in the cluster, or (nuon) at the coordinator. Default: secret"),
  take_ownership: z.boolean().optional().describe("take over objects that belong to no release. Default: false"),
  force_conflicts: z
    .boolean()
    .optional()
    .describe("take fields that another manager owns (helm 4, server-side apply). Default: false"),
  hooks: z.boolean().optional().describe("run the chart's hooks. Default: true"),
  wait: z.boolean().optional().describe("wait until everything is ready. Default: true"),
  wait_for_jobs: z.boolean().optional().describe("wait for Jobs to complete, too. Default: false"),
  wait_timeout: duration
    .optional()
    .describe("how long to wait, shorter than the job's timeout, such as 5m. Default: four fifths of that timeout"),
  rollback_on_failure: z
    .boolean()
    .optional()
    .describe("a failed upgrade goes back to the revision before, a failed install is removed. Default: false"),
  history_limit: z.number().int().min(1).max(1_000).optional().describe("revisions that are kept. Default: 10"),
  recover_pending: z
    .boolean()
    .optional()
    .describe("go on over a revision that another helm left pending, whoever it was. Default: only when it is over"),
});
export type HelmSpec = z.infer<typeof helmSpec>;
