import { describe, expect, test } from "bun:test";
import { parseJobDocument } from "../../protocol/job-file-parse.ts";
import { deployPlan } from "../../protocol/nuon/plans.ts";
import { compileSubmission } from "./compile.ts";

const PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

function compiled(spec: Record<string, unknown>, sensitive: readonly string[] = []) {
  const document = { type: "job-deploy", name: "report", spec };
  const parsed = parseJobDocument(document, "job");
  if (!parsed.ok) return parsed.error.message;
  const submission = { job: document, sensitive: [...sensitive] };
  const made = compileSubmission(parsed.value, submission, {
    now: 0,
    workspaceId: () => "w",
    exactWorkspace: () => "w",
    https: false,
  });
  if (!made.ok) return made.error.message;
  const { job } = made.value;
  return { job, block: deployPlan.parse(JSON.parse(job.plan ?? "null")).kubernetes_job };
}

describe("a job file of a Kubernetes Job", () => {
  test("becomes one wire job for our runners, with its words as they are and its secrets apart", () => {
    const made = compiled(
      { image: "i:1", command: ["sh", "-c", "echo $(date) $$"], env: { A: "1", B: "2", API_KEY: "3" } },
      ["B"],
    );
    if (typeof made === "string") throw new Error(made);
    expect(made.job).toMatchObject({ operation: "apply-plan", native: true, workspace: null });
    expect(made.block).toMatchObject({
      env_vars: { A: "1" },
      secret_env_vars: { B: "2", API_KEY: "3" },
      job: {
        spec: {
          backoffLimit: 0,
          template: {
            spec: {
              restartPolicy: "Never",
              automountServiceAccountToken: false,
              containers: [
                { command: ["sh", "-c", "echo $$(date) $$$$"], securityContext: { capabilities: { drop: ["ALL"] } } },
              ],
            },
          },
        },
      },
    });
  });

  test("names its cluster by a kubeconfig or by a cloud, as a Nuon plan does", () => {
    const info = (cluster: Record<string, unknown>) => {
      const made = compiled({ image: "i", cluster });
      if (typeof made === "string") throw new Error(made);
      return made.block?.cluster_info;
    };
    expect(info({ kubeconfig: "text" })).toMatchObject({ kube_config: "text" });
    const at = { endpoint: "https://c.test", ca: PEM };
    const ca_data = Buffer.from(PEM).toString("base64");
    expect(info({ eks: { ...at, name: "prod", region: "eu-central-1", role_arn: "arn:r" } })).toMatchObject({
      id: "prod",
      endpoint: "https://c.test",
      ca_data,
      trusted_role_arn: "arn:r",
      aws_auth: { use_default: true, region: "eu-central-1" },
    });
    expect(info({ aks: { ...at, tenant: "t" } })).toMatchObject({
      azure_auth: { service_principal: { subscription_tenant_id: "t" } },
    });
    expect(info({ gke: at })).toMatchObject({ gcp_auth: { use_default: true } });
    const own = compiled({ image: "i" });
    expect(typeof own === "string" ? own : own.block?.cluster_info).toBeNull();
  });

  test.each<[Record<string, unknown>, string]>([
    [{}, "exactly one of image and job"],
    [{ image: "i", job: {} }, "exactly one of image and job"],
    [{ job: {}, command: ["a"] }, "belongs to image"],
    [{ image: "i", namespace: "Shop" }, "spec.namespace"],
    [{ image: "i", attempts: 0 }, "spec.attempts"],
    [{ image: "i", grace: 10 }, "spec.grace"],
    [{ image: "i", cluster: {} }, "exactly one of kubeconfig, eks, aks and gke"],
    [{ image: "i", cluster: { kubeconfig: "a", gke: { endpoint: "https://c", ca: "x" } } }, "exactly one of"],
    [{ image: "i", cluster: { gke: { endpoint: "http://c", ca: "x" } } }, "an https address"],
    [{ image: "i", cluster: { kubeconfig: { file: "x" } } }, "cannot be resolved here"],
    [{ image: "i", env: { TOKEN: { env: "X" } } }, "cannot be resolved here"],
  ])("is refused with the key: %j", (spec, message) => {
    expect(compiled(spec)).toContain(message);
  });
});
