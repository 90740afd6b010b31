import { verify } from "node:crypto";
import { fail, ok, type Result, RunnerError } from "../../protocol/errors.ts";
import { isReleaseVersion } from "./manifest.ts";
import type { ReleaseKey } from "./release-key.ts";

/** File of a folder of releases. */
export const LATEST = "latest";

/** Which release of a folder is the newest, as whoever makes them has signed. */
export interface Latest {
  readonly version: string;
  /** RFC 3339, UTC: when that release was made. For people: who serves an old one for ever is seen by it. */
  readonly made: string;
  /** SHA-256 of its SHA256SUMS, lower-case hex. */
  readonly sums: string;
}

/** What is signed. One file holds it with its signatures, so that a reader never sees one without the other. */
export const latestText = ({ version, made, sums }: Latest): string =>
  `version ${version}\nmade ${made}\nsums ${sums}\n`;

/** `signature`: raw Ed25519; `sshSignature`: the same in the armour of OpenSSH. */
export const signedLatest = (text: string, signature: Uint8Array, sshSignature: string): string =>
  `${text}signature ${Buffer.from(signature).toString("base64")}\n${sshSignature}`;

const FILE = /^((?:[a-z]+ \S+\n)+?)signature ([A-Za-z0-9+/]{86}==)\n/;

/** Error `policy`: it is not signed, not by the key, or does not say what it should. `place`: of the folder. */
export function readLatest(file: string, place: string, { key, fingerprint }: ReleaseKey): Result<Latest> {
  const [, text = "", signature = ""] = FILE.exec(file) ?? [];
  if (signature === "") {
    return refuse(`${place}/${LATEST} is not signed`, "Ask for a version, or tell who keeps the releases.");
  }
  if (!verify(null, Buffer.from(text), key, Buffer.from(signature, "base64"))) {
    return refuse(
      `the signature of ${place}/${LATEST} is not one of the trusted key (${fingerprint})`,
      "If it was signed by another key on purpose, name that key with --public-key.",
    );
  }
  const said = new Map(text.split("\n").map((line) => [line.slice(0, line.indexOf(" ")), line.replace(/^\S* /, "")]));
  const [version = "", made = "", sums = ""] = ["version", "made", "sums"].map((name) => said.get(name));
  if (isReleaseVersion(version) && /^[0-9a-f]{64}$/.test(sums)) return ok({ version, made, sums });
  return refuse(`${place}/${LATEST} does not name a version and its checksum`, "It may need a newer runner.");
}

function refuse(message: string, remedy: string): Result<never> {
  return fail(new RunnerError("policy", message, { remedy: `Nothing was taken from it. ${remedy}` }));
}
