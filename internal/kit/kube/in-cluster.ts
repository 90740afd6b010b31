import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileToken } from "./file-token.ts";
import type { KubeTarget } from "./target.ts";

const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/** The cluster this process is a pod of, as its service account; null: it is none, or has no account mounted. */
export function inCluster(
  env: Readonly<Record<string, string | undefined>>,
  folder: string = SERVICE_ACCOUNT,
): KubeTarget | null {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = env;
  if (!host || !port || !existsSync(join(folder, "token"))) return null;
  const optional = (name: string) =>
    existsSync(join(folder, name)) ? readFileSync(join(folder, name), "utf8").trim() : null;
  return {
    server: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
    ca: optional("ca.crt"),
    tlsServerName: null,
    insecure: false,
    proxyUrl: null,
    namespace: optional("namespace") || "default",
    credential: { kind: "token", token: fileToken(join(folder, "token")) },
  };
}
