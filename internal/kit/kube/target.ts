/** Where a cluster is and how to prove who asks; made from a kubeconfig, a service account or a cloud's cluster info. */
export interface KubeTarget {
  /** `https://host:port`, maybe with a base path. */
  readonly server: string;
  /** PEM; null: the authorities of the machine. */
  readonly ca: string | null;
  /** Name to expect in the server's certificate; null: the host's. */
  readonly tlsServerName: string | null;
  /** The certificate is not checked at all: only where a kubeconfig asks for it. */
  readonly insecure: boolean;
  readonly proxyUrl: string | null;
  /** Of objects that name none. */
  readonly namespace: string;
  readonly credential: KubeCredential;
}

export type KubeCredential =
  | { readonly kind: "none" }
  | { readonly kind: "certificate"; readonly cert: string; readonly key: string }
  | { readonly kind: "basic"; readonly username: string; readonly password: string }
  /** Asked before every request; whoever makes it caches the token and renews it before it expires. */
  | { readonly kind: "token"; readonly token: () => Promise<string> };

/** Secrets of a target that are known now, for redaction. Tokens that are minted later are registered by their maker. */
export function targetSecrets(target: KubeTarget): readonly string[] {
  const { credential } = target;
  if (credential.kind === "certificate") return [credential.key];
  return credential.kind === "basic" ? [credential.password] : [];
}
