import { RunnerError, reasonOf } from "../../protocol/errors.ts";
import { audienceOf } from "../../protocol/runner-identity.ts";
import { AWS_PROOF_HEADERS, type TokenExchange } from "../../protocol/token-exchange.ts";
import { awsIdentityRequest } from "./eks-token.ts";

/** A cloud that gives its machines an identity which others can check. */
export type Cloud = "aws" | "gcp" | "azure";

/** For whom a proof is: it is of no use to another control plane, nor (Azure's apart) to another runner of this one. */
export interface ProofOptions {
  /** Scheme and host of the control plane. */
  readonly origin: string;
  readonly runnerId: string;
  /** Azure: the resource to ask for instead of `origin`; null: that. */
  readonly audience: string | null;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>;
}

type Place = Pick<ProofOptions, "env" | "fetch">;

/** A metadata service answers at once or is not there. */
const PATIENCE_MS = 3_000;

/** Which cloud this machine is of, by its metadata service. null: none answers. */
export async function findCloud(options: Place): Promise<Cloud | null> {
  const asked: [Cloud, Promise<boolean>][] = [
    ["aws", answers(options, `${awsBase(options.env)}/latest/api/token`, { method: "PUT", headers: AWS_TTL })],
    ["gcp", answers(options, `${gcpBase(options.env)}/computeMetadata/v1/instance/id`, { headers: GCP })],
    [
      "azure",
      answers(options, `${azureBase(options.env)}/metadata/instance?api-version=2021-02-01`, { headers: AZURE }),
    ],
  ];
  for (const [cloud, there] of asked) if (await there) return cloud;
  return null;
}

/** Secret for as long as it is valid. Throws RunnerError environment: the machine has no identity there. */
export async function machineProof(cloud: Cloud, options: ProofOptions): Promise<TokenExchange> {
  const { origin, runnerId, env } = options;
  if (cloud === "aws") {
    const headers = { [AWS_PROOF_HEADERS.audience]: origin, [AWS_PROOF_HEADERS.runner]: runnerId };
    return { cloud, kind: "aws-sts", proof: await awsIdentityRequest(headers, env) };
  }
  if (cloud === "gcp") {
    const query = new URLSearchParams({ audience: audienceOf(cloud, origin, runnerId), format: "full" });
    const url = `${gcpBase(env)}/computeMetadata/v1/instance/service-accounts/default/identity?${query}`;
    return { cloud, kind: "jwt", proof: (await ask(options, cloud, url, GCP)).trim() };
  }
  const resource = options.audience ?? audienceOf(cloud, origin, runnerId);
  const query = new URLSearchParams({ "api-version": "2018-02-01", resource });
  const text = await ask(options, cloud, `${azureBase(env)}/metadata/identity/oauth2/token?${query}`, AZURE);
  return { cloud, kind: "jwt", proof: tokenIn(text) };
}

const AWS_TTL = { "x-aws-ec2-metadata-token-ttl-seconds": "60" };
const GCP = { "metadata-flavor": "Google" };
const AZURE = { metadata: "true" };

/** The SDKs' own variables, for proxies and tests. */
const awsBase = (env: ProofOptions["env"]) =>
  env.AWS_EC2_METADATA_SERVICE_ENDPOINT?.replace(/\/+$/, "") || "http://169.254.169.254";
const gcpBase = (env: ProofOptions["env"]) => `http://${env.GCE_METADATA_HOST || "metadata.google.internal"}`;
const azureBase = (env: ProofOptions["env"]) =>
  env.AZURE_POD_IDENTITY_AUTHORITY_HOST?.replace(/\/+$/, "") || "http://169.254.169.254";

async function answers(options: Place, url: string, init: RequestInit): Promise<boolean> {
  const send = options.fetch ?? fetch;
  try {
    const answer = await send(url, { ...init, signal: AbortSignal.timeout(PATIENCE_MS) });
    await answer.body?.cancel();
    return answer.ok;
  } catch {
    return false;
  }
}

async function ask(options: Place, cloud: Cloud, url: string, headers: Record<string, string>): Promise<string> {
  const send = options.fetch ?? fetch;
  const remedy = "Give the machine a service account (GCP) or a managed identity (Azure), or name the right --cloud.";
  try {
    const answer = await send(url, { headers, signal: AbortSignal.timeout(PATIENCE_MS) });
    if (answer.ok) return await answer.text();
    throw new Error(`it answered ${answer.status}`);
  } catch (cause) {
    throw new RunnerError("environment", `the metadata service of ${cloud} gives no identity: ${reasonOf(cause)}`, {
      remedy,
      cause,
    });
  }
}

function tokenIn(text: string): string {
  try {
    const body: unknown = JSON.parse(text);
    if (body !== null && typeof body === "object" && "access_token" in body && typeof body.access_token === "string") {
      return body.access_token;
    }
  } catch {
    // said below
  }
  throw new RunnerError("environment", "the metadata service of azure answered without a token");
}
