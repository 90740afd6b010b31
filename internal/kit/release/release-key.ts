import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import { fail, ok, type Result, RunnerError, reasonOf } from "../../protocol/errors.ts";

/** Set by `npm run release`: the key of whoever made this binary. A build for development has none. */
declare const RUNNER_RELEASE_KEY: string | undefined;

/** SubjectPublicKeyInfo in base64; "" in a build for development. */
export const PINNED_RELEASE_KEY: string = typeof RUNNER_RELEASE_KEY === "string" ? RUNNER_RELEASE_KEY : "";

/** Who makes the releases that are trusted here: an Ed25519 key. */
export interface ReleaseKey {
  readonly key: KeyObject;
  /** SubjectPublicKeyInfo (DER) in base64, 60 characters: how a binary and install.sh have it pinned. */
  readonly spki: string;
  /** `sha256:<hex>` of that DER: what `openssl pkey -pubin -in release.pub -outform DER | sha256sum` prints. */
  readonly fingerprint: string;
}

/** The 12 bytes before the key itself in an Ed25519 SubjectPublicKeyInfo (RFC 8410). */
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");
const PEM = /-----BEGIN PUBLIC KEY-----[A-Za-z0-9+/=\s]+-----END PUBLIC KEY-----/g;
const SSH = /^ssh-ed25519 ([A-Za-z0-9+/=]+)/gm;

/**
 * Reads a public key: PEM, its base64 on one line, or a line of OpenSSH; `release.pub` holds PEM and OpenSSH, which must
 * agree. Errors are of kind `usage`; they never show what they read, which may be a private key.
 */
export function readReleaseKey(text: string, where: string): Result<ReleaseKey> {
  const refuse = (why: string, cause?: unknown) =>
    fail(
      new RunnerError("usage", `${where} is no release key: ${why}`, {
        remedy: "Give the release.pub of whoever made the release (Ed25519, PEM or OpenSSH).",
        cause,
      }),
    );
  if (/PRIVATE KEY/.test(text)) return refuse("it holds a private key, which belongs to the signer alone");
  try {
    const found = [
      ...[...text.matchAll(PEM)].map(([pem]) => createPublicKey(pem)),
      ...[...text.matchAll(SSH)].map(([, blob = ""]) => fromRaw(sshKeyBytes(Buffer.from(blob, "base64")))),
    ];
    const bare = text.trim();
    if (found.length === 0 && /^[A-Za-z0-9+/=]{60}$/.test(bare)) {
      found.push(createPublicKey({ key: Buffer.from(bare, "base64"), format: "der", type: "spki" }));
    }
    const [key, ...others] = found;
    if (key === undefined) return refuse("neither PEM nor OpenSSH");
    if (key.asymmetricKeyType !== "ed25519") return refuse(`its kind is ${key.asymmetricKeyType}, not ed25519`);
    const der = key.export({ format: "der", type: "spki" });
    if (others.some((other) => !der.equals(other.export({ format: "der", type: "spki" })))) {
      return refuse("it holds several different keys");
    }
    const fingerprint = `sha256:${createHash("sha256").update(der).digest("hex")}`;
    return ok({ key, spki: der.toString("base64"), fingerprint });
  } catch (cause) {
    return refuse(reasonOf(cause), cause);
  }
}

/** The key that this binary was made with. Error `usage` in a build for development. */
export function pinnedReleaseKey(pinned: string = PINNED_RELEASE_KEY): Result<ReleaseKey> {
  if (pinned !== "") return readReleaseKey(pinned, "the key in this binary");
  return fail(
    new RunnerError("usage", "this build for development trusts no release key", {
      remedy: "Name the release.pub of whoever made the release with --public-key.",
    }),
  );
}

/** `ssh-ed25519 AAAA…`, the same key for `ssh-keygen -Y verify`. */
export function opensshKey(key: KeyObject): string {
  return `ssh-ed25519 ${opensshBlob(key).toString("base64")}`;
}

/** The public key in the wire format of SSH. */
export function opensshBlob(key: KeyObject): Buffer {
  const der = key.export({ format: "der", type: "spki" });
  return Buffer.concat([sshString("ssh-ed25519"), sshString(der.subarray(SPKI_PREFIX.length))]);
}

/** A string in the wire format of SSH: its length in four bytes, then its bytes. */
export function sshString(value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function sshKeyBytes(blob: Buffer): Buffer {
  const head = Buffer.concat([sshString("ssh-ed25519"), Buffer.from([0, 0, 0, 32])]);
  if (blob.length !== head.length + 32 || !blob.subarray(0, head.length).equals(head)) {
    throw new Error("its OpenSSH line is damaged");
  }
  return blob.subarray(head.length);
}

const fromRaw = (raw: Buffer) =>
  createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: "der", type: "spki" });
