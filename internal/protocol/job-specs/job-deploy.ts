import { z } from "zod";
import { clusterSpec } from "../cluster-spec.ts";
import { duration, textOrSecret } from "../job-file.ts";

const NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const name = (what: string) => z.string().regex(NAME, "lower case letters, digits and dashes").describe(what);

/** `spec` of a `job-deploy` job file: one Kubernetes Job, run to its end. */
export const jobDeploySpec = z
  .strictObject({
    cluster: clusterSpec.optional(),
    namespace: name("namespace of the Job; that of the cluster's access, else default").optional(),
    image: z.string().min(1).optional().describe("image of the only container; or job"),
    command: z.array(z.string()).min(1).optional().describe("program and arguments, in place of the image's own"),
    args: z.array(z.string()).optional().describe("arguments of the image's own program"),
    working_dir: z.string().startsWith("/").optional().describe("absolute; the image's own when left out"),
    pull_policy: z
      .enum(["Always", "IfNotPresent", "Never"])
      .optional()
      .describe("when the node pulls the image. Default: the cluster's rule"),
    pull_secrets: z.array(z.string().min(1)).optional().describe("names of registry Secrets in the namespace"),
    service_account: name("account of the pod; without one it gets no token of the cluster").optional(),
    node_selector: z.record(z.string(), z.string()).optional().describe("labels that the node must have"),
    attempts: z.number().int().min(1).max(20).optional().describe("pods that are tried after one another. Default: 1"),
    grace: duration.optional().describe("between TERM and KILL when the Job is stopped. Default: 10s"),
    env: z
      .record(z.string(), textOrSecret)
      .optional()
      .describe("variables of the container; a secret is { env: NAME } or { file: PATH }, and reaches it by a Secret"),
    job: z
      .record(z.string(), z.unknown())
      .optional()
      .describe("a whole batch/v1 Job instead of image; env and limits go to its first container"),
    start_timeout: duration
      .optional()
      .describe("how long no node or no image may be had before the job fails with the reason. Default: 5m"),
    keep: duration.optional().describe("leave the ended Job in the cluster this long. Default: it is removed at once"),
  })
  .superRefine((spec, ctx) => {
    if ((spec.image === undefined) === (spec.job === undefined)) {
      ctx.addIssue({ code: "custom", message: "expected exactly one of image and job" });
    }
    if (spec.job === undefined) return;
    for (const key of OF_IMAGE) {
      if (spec[key] === undefined) continue;
      ctx.addIssue({ code: "custom", path: [key], message: "belongs to image; write it into the Job itself" });
    }
  });
export type JobDeploySpec = z.infer<typeof jobDeploySpec>;

const OF_IMAGE = [
  "command",
  "args",
  "working_dir",
  "pull_policy",
  "pull_secrets",
  "service_account",
  "node_selector",
  "attempts",
  "grace",
] as const;
