import { z } from "zod";
import { textOrSecret } from "./job-file.ts";

/** Key `cluster` of a job file: which Kubernetes cluster the work is for. Left out: the runner's own. */
const endpoint = z
  .string()
  .regex(/^https:\/\/[^\s/]+/, "an https address")
  .describe("https address of the API server");
const ca = z
  .string()
  .min(1)
  .describe("certificate authority of the API server: PEM, or its base64 as the cloud shows it");
const secretText = (what: string) => textOrSecret.describe(`${what}: { env: NAME } or { file: PATH }`);

const staticKeys = z.strictObject({
  access_key_id: z.string().min(1).describe("id of the key"),
  secret_access_key: secretText("secret of the key"),
  session_token: secretText("token of temporary keys").optional(),
});

export const clusterSpec = z
  .strictObject({
    kubeconfig: secretText("a kubeconfig with its data inline (kubectl config view --flatten --minify)").optional(),
    eks: z
      .strictObject({
        name: z.string().min(1).describe("name of the cluster"),
        endpoint,
        ca,
        region: z.string().min(1).describe("AWS region, such as eu-central-1"),
        role_arn: z.string().min(1).optional().describe("role to assume for the token"),
        keys: staticKeys.optional().describe("keys to start from; the credentials of the runner's machine if left out"),
      })
      .optional()
      .describe("Amazon EKS; the runner makes the token itself, no aws program is needed"),
    aks: z
      .strictObject({
        endpoint,
        ca,
        tenant: z.string().min(1).optional().describe("tenant id; that of the runner's credentials when left out"),
      })
      .optional()
      .describe("Azure AKS with Entra ID, by the credentials of the runner's machine"),
    gke: z
      .strictObject({
        endpoint,
        ca,
        credentials: secretText("text of a key file; the machine's default credentials if left out").optional(),
      })
      .optional()
      .describe("Google GKE"),
  })
  .refine((spec) => [spec.kubeconfig, spec.eks, spec.aks, spec.gke].filter((one) => one !== undefined).length === 1, {
    message: "a cluster is exactly one of kubeconfig, eks, aks and gke",
  })
  .describe("Kubernetes cluster of the work; the runner's own when left out");
export type ClusterSpec = z.infer<typeof clusterSpec>;
