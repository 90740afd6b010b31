import { createPrivateKey, type KeyObject, type X509Certificate } from "node:crypto";
import { RunnerError, reasonOf } from "../../internal/protocol/errors.ts";
import { readCertificates } from "./ca-file.ts";
import { readFile } from "./read-file.ts";

/** What a server needs to speak TLS, checked: the key belongs to the first certificate. */
export interface TlsPair {
  /** PEM, with what follows the server's own certificate. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
  /** The server's own certificate. */
  readonly leaf: X509Certificate;
}

/** null: neither is given. Throws RunnerError usage: one is missing, unreadable, or they do not belong together. */
export function readTlsPair(certFile: string | null, keyFile: string | null): TlsPair | null {
  if (certFile === null && keyFile === null) return null;
  if (certFile === null || keyFile === null) {
    throw new RunnerError("usage", `${certFile ? "--tls-key" : "--tls-cert"} is missing`, {
      remedy: "TLS needs both --tls-cert and --tls-key.",
    });
  }
  const [leaf] = readCertificates(certFile, "TLS certificate");
  const key = readFile(keyFile, "TLS key");
  if (!leaf?.checkPrivateKey(privateKey(key, keyFile))) {
    throw new RunnerError("usage", `${certFile} and ${keyFile} do not belong together`, {
      remedy: "The server's own certificate comes first in --tls-cert; give its key with --tls-key.",
    });
  }
  return { cert: readFile(certFile, "TLS certificate"), key, leaf };
}

function privateKey(pem: string, file: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw new RunnerError("usage", `TLS key ${file} cannot be read: ${reasonOf(cause)}`, {
      remedy: "It must be a PEM private key without a passphrase.",
      cause,
    });
  }
}
