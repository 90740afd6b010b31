import { RunnerError } from "../../protocol/errors.ts";
import type { AwsAuth, AzureAuth } from "../../protocol/nuon/plans.ts";
import { isLoopback } from "../oci/reference.ts";
import { acrToken } from "./acr-token.ts";
import { type AwsPlace, awsCredentials, regionOf } from "./aws-credentials.ts";
import { AZURE_SCOPE, azureToken } from "./azure-token.ts";
import { ecrToken } from "./ecr-token.ts";
import type { Renewed } from "./renewed.ts";

/** A registry's login that a cloud makes. */
export type CloudLogin =
  | { readonly cloud: "aws"; readonly auth: AwsAuth }
  | { readonly cloud: "azure"; readonly auth: AzureAuth };

export interface Login {
  readonly username: string;
  readonly password: string;
  /** Address of the registry as the cloud names it; empty: as it was given. */
  readonly server: string;
}

export interface LoginPlace extends AwsPlace {
  /** Tokens of Entra ID. Default: by the credentials of the runner's machine. */
  readonly azure?: (auth: AzureAuth) => Renewed<string>;
}

/**
 * User and password for a registry of a cloud (nuon-handlers.md 5.3), made now: ECR's are good for 12 h, Azure's for 3.
 * Throws RunnerError: `environment` without credentials, `job` when the cloud refuses.
 */
export async function registryLogin(host: string, login: CloudLogin, place: LoginPlace): Promise<Login> {
  if (login.cloud === "aws") {
    const keys = await awsCredentials(login.auth, place)();
    return ecrToken(keys.value, login.auth.region || regionOfHost(host) || regionOf(login.auth, place), place);
  }
  const name = host.replace(/^https?:\/\//, "").replace(/\/+$/, "");
  // The token of the machine is worth more than a registry: it goes to Azure's, and to this machine's in a test.
  if (!ACR.test(name) && !isLoopback(name)) throw unknownRegistry(name);
  const token = await (place.azure ?? ((auth: AzureAuth) => azureToken(auth, AZURE_SCOPE.management)))(login.auth)();
  const server = `${isLoopback(name) ? "http" : "https"}://${name}`;
  const tenant = login.auth.service_principal?.subscription_tenant_id ?? undefined;
  return { ...(await acrToken(server, token.value, tenant)), server: "" };
}

const ECR = /^\d{12}\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$/;
const ACR = /^[a-z0-9]+\.azurecr\.(?:io|cn|us)$/i;
const regionOfHost = (host: string): string | undefined => ECR.exec(host)?.[1];

/** The cloud whose registry this is, by its name. Throws RunnerError (job): it is of none. */
export function cloudOf(host: string): CloudLogin {
  const region = regionOfHost(host);
  if (region !== undefined) return { cloud: "aws", auth: { use_default: true, region } };
  if (ACR.test(host)) return { cloud: "azure", auth: { use_default: true } };
  throw unknownRegistry(host);
}

const unknownRegistry = (host: string) =>
  new RunnerError("job", `${host} is no registry of AWS or Azure: no cloud makes its login`, {
    remedy: "Write user name and password, or the name that ECR or ACR gave the registry.",
  });
