import { RunnerError, reasonOf } from "../../protocol/errors.ts";
import type { AzureAuth } from "../../protocol/nuon/plans.ts";
import { type Renewed, renewed } from "./renewed.ts";

/** What a token is for, as Entra ID calls it: AKS (the "server id" of kubelogin, the same everywhere), or Azure itself. */
export const AZURE_SCOPE = {
  aks: "6dae42f8-4368-4678-94ff-3960e28e3630/.default",
  management: "https://management.azure.com/.default",
} as const;

/**
 * Bearer token of an AKS cluster, or for another scope, by the credentials of the runner's machine: variables, workload identity, managed
 * identity, az. A plan names at most the tenant. Throws RunnerError (environment).
 */
export function azureToken(auth: AzureAuth, scope: string = AZURE_SCOPE.aks): Renewed<string> {
  return renewed(async () => {
    const { DefaultAzureCredential } = await import("@azure/identity");
    const tenantId = auth.service_principal?.subscription_tenant_id;
    try {
      const credential = new DefaultAzureCredential(tenantId ? { tenantId } : {});
      const { token, expiresOnTimestamp } = await credential.getToken(scope);
      return { value: token, untilMs: expiresOnTimestamp };
    } catch (cause) {
      const said = /^[^.]*/.exec(reasonOf(cause))?.[0].slice(0, 200) ?? "";
      throw new RunnerError("environment", `the runner's machine has no Azure credentials: ${said}`, {
        remedy:
          "Give the machine a managed identity, the pod a workload identity, or the runner's process AZURE_* variables.",
        cause,
      });
    }
  });
}
