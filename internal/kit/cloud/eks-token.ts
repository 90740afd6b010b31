import { type AwsKeys, type AwsPlace, awsCredentials, regionOf, sdkKeys, stsEndpoint } from "./aws-credentials.ts";
import { type Renewed, renewed } from "./renewed.ts";
import { Sha256 } from "./sha256.ts";

/** Servers of EKS take a token until 15 minutes after it was signed (aws-iam-authenticator); a minute is for clocks. */
const LIFE_MS = 14 * 60_000;

/**
 * Bearer token of an EKS cluster: the signed address of a request that asks AWS "who am I", which the cluster sends for
 * us. No program is run and nothing is asked of AWS to make it.
 */
export function eksToken(
  keys: Renewed<AwsKeys>,
  cluster: { readonly name: string; readonly region: string },
  place: AwsPlace,
): Renewed<string> {
  return renewed(async () => {
    const signed = await keys();
    const now = Date.now();
    const { name, region } = cluster;
    const endpoint = await endpointOf(region, place);
    const url = await presigned(signed.value, { headers: { "x-k8s-aws-id": name }, region }, endpoint, new Date(now));
    const value = `k8s-aws-v1.${Buffer.from(url).toString("base64url")}`;
    return { value, untilMs: Math.min(now + LIFE_MS, signed.untilMs ?? Number.POSITIVE_INFINITY) };
  });
}

/**
 * The same for anybody else who wants to know who this machine is: the signature covers `headers`, which whoever checks it
 * has to send with the address. Throws RunnerError environment: the machine has no credentials.
 */
export async function awsIdentityRequest(
  headers: Readonly<Record<string, string>>,
  env: AwsPlace["env"],
): Promise<string> {
  const place: AwsPlace = { env, session: "runner" };
  const region = regionOf({}, place);
  const keys = (await awsCredentials({ use_default: true }, place)()).value;
  return presigned(keys, { headers, region }, await endpointOf(region, place), new Date());
}

/** The SDK knows the address of each region and partition. */
async function endpointOf(region: string, { env }: AwsPlace): Promise<URL> {
  const given = stsEndpoint(env);
  if (given !== null) return new URL(given);
  const { STSClient } = await import("@aws-sdk/client-sts");
  return new STSClient({ region }).config.endpointProvider({ Region: region, UseDualStack: false, UseFIPS: false }).url;
}

async function presigned(
  keys: AwsKeys,
  { headers, region }: { readonly headers: Readonly<Record<string, string>>; readonly region: string },
  endpoint: URL,
  at: Date,
): Promise<string> {
  const { SignatureV4 } = await import("@smithy/signature-v4");
  const signer = new SignatureV4({ service: "sts", region, credentials: sdkKeys(keys), sha256: Sha256 });
  const request = await signer.presign(
    {
      method: "GET",
      protocol: endpoint.protocol,
      hostname: endpoint.hostname,
      ...(endpoint.port === "" ? {} : { port: Number(endpoint.port) }),
      path: "/",
      query: { Action: "GetCallerIdentity", Version: "2011-06-15" },
      headers: { host: endpoint.host, ...headers },
    },
    { expiresIn: 60, signingDate: at, unhoistableHeaders: new Set(Object.keys(headers)) },
  );
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(request.query ?? {})) query.set(key, String(value));
  return `${endpoint.protocol}//${endpoint.host}/?${query}`;
}
