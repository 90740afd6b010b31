import type { KubeTarget } from "./target.ts";

/**
 * A kubeconfig for a program (helm, kubectl) that speaks to the same cluster. A token is named by file, which client
 * libraries read again every minute, so that the runner can renew it while the program runs. JSON, which is YAML.
 */
export function kubeconfigText(target: KubeTarget, tokenFile: string | null): string {
  const { credential } = target;
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  const user =
    credential.kind === "certificate"
      ? { "client-certificate-data": base64(credential.cert), "client-key-data": base64(credential.key) }
      : credential.kind === "basic"
        ? { username: credential.username, password: credential.password }
        : credential.kind === "token" && tokenFile !== null
          ? { tokenFile }
          : {};
  const cluster = {
    server: target.server,
    ...(target.ca === null ? {} : { "certificate-authority-data": base64(target.ca) }),
    ...(target.tlsServerName === null ? {} : { "tls-server-name": target.tlsServerName }),
    ...(target.insecure ? { "insecure-skip-tls-verify": true } : {}),
    ...(target.proxyUrl === null ? {} : { "proxy-url": target.proxyUrl }),
  };
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "default", cluster }],
    users: [{ name: "default", user }],
    contexts: [{ name: "default", context: { cluster: "default", user: "default", namespace: target.namespace } }],
    "current-context": "default",
  });
}
