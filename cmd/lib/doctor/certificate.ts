import type { X509Certificate } from "node:crypto";
import { connect } from "node:tls";
import { type Finding, findings } from "./finding.ts";

const CONNECT_MS = 10_000;
const DAY_MS = 86_400_000;
const SOON_DAYS = 14;

/** What the certificate that a server shows says about itself. Trust is the request's to judge. */
export async function checkCertificate(url: URL, ca: string | null): Promise<Finding[]> {
  if (url.protocol !== "https:") return [];
  const shown = await certificateOf(url, ca);
  if (shown === null) return [];
  return [validity(shown, `of ${url.host}`, "Renew it on the server.")];
}

/** `whose` goes on from "certificate". */
export function validity(certificate: X509Certificate, whose: string, renew: string): Finding {
  const say = findings("certificate");
  const days = Math.floor((Date.parse(certificate.validTo) - Date.now()) / DAY_MS);
  const names = certificate.subjectAltName?.replace(/DNS:|IP Address:/g, "") ?? "no name";
  if (days < 0) return say.failed(`certificate ${whose} has expired on ${day(certificate.validTo)}`, renew);
  if (Date.parse(certificate.validFrom) > Date.now()) {
    return say.failed(
      `certificate ${whose} is not valid before ${day(certificate.validFrom)}`,
      "Set the clock of this machine.",
    );
  }
  if (days < SOON_DAYS) return say.warning(`certificate ${whose} ends in ${days} days`, renew);
  return say.ok(`${whose.replace(/^of /, "")}: for ${names}, valid until ${day(certificate.validTo)}`);
}

const day = (text: string) => new Date(text).toISOString().slice(0, 10);

/** null: no TLS connection came about; the request says why. */
function certificateOf(url: URL, ca: string | null): Promise<X509Certificate | null> {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return new Promise((resolve) => {
    const socket = connect({
      host,
      port: Number(url.port || 443),
      ...(/^[\d.:]+$/.test(host) ? {} : { servername: host }),
      ...(ca === null ? {} : { ca }),
      // Only read here: the expired and the unknown shall be described, not refused.
      rejectUnauthorized: false,
      timeout: CONNECT_MS,
    });
    const end = (found: X509Certificate | null) => {
      socket.destroy();
      resolve(found);
    };
    socket.once("secureConnect", () => end(socket.getPeerX509Certificate() ?? null));
    socket.once("error", () => end(null));
    socket.once("timeout", () => end(null));
  });
}
