import {
  assume,
  awsCredentials,
  azureToken,
  eksToken,
  gcpToken,
  type Renewed,
  regionOf,
  renewed,
} from "../../../kit/cloud/index.ts";
import type { KubeTarget } from "../../../kit/kube/index.ts";
import { RunnerError } from "../../../protocol/errors.ts";
import type { AwsAuth, ClusterInfo } from "../../../protocol/nuon/plans.ts";
import { awsPlace, type CloudJob } from "../cloud-keys.ts";

/** A cluster of a cloud: address and authority from the plan, a token of the job's own, made and renewed in this process. */
export function cloudTarget(ctx: CloudJob, info: ClusterInfo): KubeTarget {
  const server = (info.endpoint ?? "").trim().replace(/\/+$/, "");
  if (!/^https:\/\/[^/]/.test(server)) {
    throw new RunnerError("protocol", "the cluster's endpoint is no https address");
  }
  const token = tokenOf(ctx, info);
  return {
    server,
    ca: caOf(info.ca_data),
    tlsServerName: null,
    insecure: false,
    proxyUrl: null,
    namespace: "default",
    credential: { kind: "token", token: async () => (await token()).value },
  };
}

/** Azure wins over AWS (nuon-handlers.md 5.2). */
function tokenOf(ctx: CloudJob, info: ClusterInfo): Renewed<string> {
  if (info.azure_auth) return azureToken(info.azure_auth);
  if (info.gcp_auth) return gcpToken(info.gcp_auth);
  if (!info.id) {
    throw new RunnerError(
      "protocol",
      "the cluster has an endpoint, but neither a kubeconfig nor a cloud's credentials",
    );
  }
  const auth = info.aws_auth ?? keysOfEnvironment(info) ?? { use_default: true };
  const place = awsPlace(ctx);
  const region = regionOf(auth, place);
  const keys = awsCredentials(auth, place);
  const arn = info.trusted_role_arn;
  const asRole = async () => {
    return assume((await keys()).value, { arn: arn ?? "", session: place.session, seconds: 3600 }, region, place);
  };
  return eksToken(arn ? renewed(asRole) : keys, { name: info.id, region }, place);
}

/** An authenticator program would find them in its environment. */
function keysOfEnvironment({ env_vars: env }: ClusterInfo): AwsAuth | null {
  if (!env?.AWS_ACCESS_KEY_ID) return null;
  return {
    region: env.AWS_REGION,
    static: {
      access_key_id: env.AWS_ACCESS_KEY_ID,
      secret_access_key: env.AWS_SECRET_ACCESS_KEY,
      session_token: env.AWS_SESSION_TOKEN,
    },
  };
}

function caOf(data: string | null | undefined): string | null {
  if (!data?.trim()) return null;
  const pem = data.includes("-----BEGIN") ? data : Buffer.from(data, "base64").toString("utf8");
  if (pem.includes("-----BEGIN CERTIFICATE")) return pem;
  throw new RunnerError("protocol", "the cluster's ca_data is no certificate (base64 of PEM)");
}
