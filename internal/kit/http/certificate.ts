import { getCACertificates } from "node:tls";

/** What is wrong with a server's certificate, and what a person can do about it. */
export interface Distrust {
  /** Goes on from "the certificate of …". */
  readonly why: string;
  readonly remedy: string;
}

const UNKNOWN_AUTHORITY: Distrust = {
  why: "is signed by an authority that is not trusted here",
  remedy: "Give the certificate of that authority with --ca-file (RUNNER_CA_FILE).",
};
const CAUSES: Readonly<Record<string, Distrust>> = {
  CERT_HAS_EXPIRED: {
    why: "has expired",
    remedy: "Renew it on the server; if it should be valid, set the clock of this machine.",
  },
  CERT_NOT_YET_VALID: { why: "is not valid yet", remedy: "Set the clock of this machine, or that of the server." },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    why: "is for another name",
    remedy: "Use a host name that stands in the certificate, or make one that holds this name.",
  },
};

/** Why the certificate of a server was refused; null: the error is about something else. */
export function distrustOf(error: unknown): Distrust | null {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const known = CAUSES[code];
  if (known) return known;
  return /^(UNABLE_TO_(VERIFY|GET_ISSUER)|(DEPTH_ZERO_)?SELF_SIGNED|CERT_|INVALID_CA)/.test(code)
    ? UNKNOWN_AUTHORITY
    : null;
}

/** A private authority beside the ones this machine trusts anyway, for servers that may be either's. PEM. */
export function besidePublic(ca: string): string {
  return [...getCACertificates("default"), ca].join("\n");
}
