import type { ClusterSpec } from "../../protocol/cluster-spec.ts";
import { ok, type Result } from "../../protocol/errors.ts";
import type { ClusterInfo } from "../../protocol/nuon/plans.ts";
import { usage } from "./sources.ts";

export interface CompiledCluster {
  /** null: the cluster of the runner. */
  readonly info: ClusterInfo | null;
  /** A Go runner would reach another cluster or none: it knows neither Google's nor a cluster of its own. */
  readonly native: boolean;
}

/** The `cluster_info` of a plan (nuon-handlers.md 2.1). `place`: the key in the job file, for errors. */
export function compileCluster(spec: ClusterSpec | undefined, place: string): Result<CompiledCluster> {
  if (spec === undefined) return ok({ info: null, native: true });
  if (spec.kubeconfig !== undefined) {
    if (typeof spec.kubeconfig !== "string") return unresolved(`${place}.kubeconfig`);
    return ok({ info: { ...EMPTY, kube_config: spec.kubeconfig }, native: false });
  }
  if (spec.eks !== undefined) return eks(spec.eks, `${place}.eks`);
  if (spec.aks !== undefined) {
    const { endpoint, ca, tenant } = spec.aks;
    const principal = tenant === undefined ? null : { subscription_id: "", subscription_tenant_id: tenant };
    const azure = { use_default: true, service_principal: principal };
    return ok({ info: { ...at(endpoint, ca), azure_auth: azure }, native: principal === null });
  }
  if (spec.gke !== undefined) {
    const { endpoint, ca, credentials } = spec.gke;
    if (credentials !== undefined && typeof credentials !== "string") return unresolved(`${place}.gke.credentials`);
    const gcp = { use_default: credentials === undefined, credentials_json: credentials ?? "" };
    return ok({ info: { ...at(endpoint, ca), gcp_auth: gcp }, native: true });
  }
  return usage(`${place}: expected one of kubeconfig, eks, aks and gke`);
}

type EksSpec = NonNullable<ClusterSpec["eks"]>;

function eks(spec: EksSpec, place: string): Result<CompiledCluster> {
  const { name, endpoint, ca, region, role_arn: role, keys } = spec;
  const info = { ...at(endpoint, ca), id: name, trusted_role_arn: role ?? "", inline: true };
  if (keys === undefined) {
    return ok({ info: { ...info, aws_auth: { use_default: true, region } }, native: false });
  }
  const { access_key_id, secret_access_key: secret, session_token: token = "" } = keys;
  if (typeof secret !== "string") return unresolved(`${place}.keys.secret_access_key`);
  if (typeof token !== "string") return unresolved(`${place}.keys.session_token`);
  const fixed = { access_key_id, secret_access_key: secret, session_token: token };
  return ok({ info: { ...info, aws_auth: { region, static: fixed } }, native: false });
}

const EMPTY: ClusterInfo = {
  id: "",
  endpoint: "",
  ca_data: "",
  env_vars: {},
  kube_config: "",
  aws_auth: null,
  azure_auth: null,
  inline: false,
  trusted_role_arn: "",
};

/** `ca_data` is base64 of PEM; people have either. */
const at = (endpoint: string, ca: string): ClusterInfo => ({
  ...EMPTY,
  endpoint,
  ca_data: ca.includes("-----BEGIN") ? Buffer.from(ca).toString("base64") : ca.trim(),
});

const unresolved = (place: string) =>
  usage(`${place}: a secret reference cannot be resolved here`, "Submit with `runner job submit`.");
