import { z } from "zod";
import { RunnerError, reasonOf } from "../../protocol/errors.ts";
import { type AwsKeys, type AwsPlace, sdkKeys } from "./aws-credentials.ts";
import { Sha256 } from "./sha256.ts";

const TARGET = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken";
const ASK_MS = 30_000;
const answered = z.looseObject({
  authorizationData: z.array(z.looseObject({ authorizationToken: z.string(), proxyEndpoint: z.string() })).min(1),
});

/** User, password (good for 12 h) and address of the ECR registry of these keys. Throws RunnerError (job). */
export async function ecrToken(keys: AwsKeys, region: string, { env }: AwsPlace) {
  // A part of the address that is asked with the keys' signature and session token.
  if (!/^[a-z0-9-]{1,40}$/.test(region)) {
    throw new RunnerError("job", `${JSON.stringify(region)} is no region of AWS`, { remedy: "Such as eu-central-1." });
  }
  const endpoint = new URL(endpointOf(region, env));
  const body = "{}";
  const { SignatureV4 } = await import("@smithy/signature-v4");
  const signer = new SignatureV4({ service: "ecr", region, credentials: sdkKeys(keys), sha256: Sha256 });
  const signed = await signer.sign({
    method: "POST",
    protocol: endpoint.protocol,
    hostname: endpoint.hostname,
    ...(endpoint.port === "" ? {} : { port: Number(endpoint.port) }),
    path: "/",
    headers: { host: endpoint.host, "content-type": "application/x-amz-json-1.1", "x-amz-target": TARGET },
    body,
  });
  try {
    const { host: _, ...headers } = signed.headers;
    const answer = await fetch(endpoint, { method: "POST", headers, body, signal: AbortSignal.timeout(ASK_MS) });
    const document: unknown = await answer.json();
    if (!answer.ok) throw new Error(whyNot(document, answer.status));
    const [first] = answered.parse(document).authorizationData;
    const [username = "", ...password] = Buffer.from(first?.authorizationToken ?? "", "base64")
      .toString()
      .split(":");
    return { username, password: password.join(":"), server: first?.proxyEndpoint ?? "" };
  } catch (cause) {
    throw new RunnerError("job", `ECR of ${region} gives no login: ${reasonOf(cause).split("\n")[0]?.slice(0, 200)}`, {
      remedy: "The role must allow ecr:GetAuthorizationToken, and to read the repository.",
      cause,
    });
  }
}

const endpointOf = (region: string, env: AwsPlace["env"]): string =>
  env.AWS_ENDPOINT_URL_ECR ||
  env.AWS_ENDPOINT_URL ||
  `https://api.ecr.${region}.amazonaws.com${region.startsWith("cn-") ? ".cn" : ""}`;

const refusal = z.looseObject({ __type: z.string().nullish(), message: z.string().nullish() });

function whyNot(document: unknown, status: number): string {
  const said = refusal.safeParse(document).data;
  return [said?.__type?.split("#").at(-1), said?.message].filter(Boolean).join(": ") || `it answers ${status}`;
}
