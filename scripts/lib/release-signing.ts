import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import {
  opensshBlob,
  opensshKey,
  type ReleaseKey,
  readReleaseKey,
  sshString,
} from "../../internal/kit/release/release-key.ts";
import { SSH_NAMESPACE } from "../../internal/kit/release/sums.ts";
import { RunnerError, reasonOf } from "../../internal/protocol/errors.ts";

/** Who signs a release. */
export interface Signer {
  readonly key: KeyObject;
  readonly trusted: ReleaseKey;
  /** release.pub: the public key as PEM for openssl, and as the line of OpenSSH above it. */
  readonly publicText: string;
}

/** Where the key for development lies: outside the checkout, made with mode 0600 when it is missing. */
export const devKeyFile = (): string =>
  join(process.env.XDG_CONFIG_HOME || join(homedir(), ".config"), "runner", "release-dev.key");

/** Reads the private key, or makes the one for development. Throws RunnerError usage, which never shows what it read. */
export function openSigner(file: string | null, say: (line: string) => void): Signer {
  const path = file ?? devKeyFile();
  if (file === null) {
    if (!existsSync(path)) makeDevKey(path);
    say(
      `signing with the key for development, ${path}: trusted by nobody but your own builds (--key names a real one)`,
    );
  }
  try {
    const key = createPrivateKey(readFileSync(path, "utf8"));
    if (key.asymmetricKeyType !== "ed25519") throw new Error(`its kind is ${key.asymmetricKeyType}, not ed25519`);
    return signerOf(key);
  } catch (cause) {
    throw new RunnerError("usage", `${path} cannot sign: ${reasonOf(cause)}`, {
      remedy: "Make a key with `openssl genpkey -algorithm ed25519 -out release.key`.",
      cause,
    });
  }
}

export function signerOf(key: KeyObject): Signer {
  const open = createPublicKey(key);
  const publicText = `${opensshKey(open)} ${SSH_NAMESPACE}\n${open.export({ format: "pem", type: "spki" })}`;
  const trusted = readReleaseKey(publicText, "the public key");
  if (!trusted.ok) throw trusted.error;
  return { key, trusted: trusted.value, publicText };
}

function makeDevKey(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const { privateKey } = generateKeyPairSync("ed25519");
  writeFileSync(path, privateKey.export({ format: "pem", type: "pkcs8" }), { mode: 0o600, flag: "wx" });
  chmodSync(path, 0o600);
}

/** The raw signature, 64 bytes: `openssl pkeyutl -verify -pubin -inkey release.pub -rawin -in SHA256SUMS -sigfile …`. */
export const rawSignature = ({ key }: Signer, bytes: Uint8Array): Buffer => sign(null, bytes, key);

/** The same key's signature in the form of OpenSSH (PROTOCOL.sshsig), for `ssh-keygen -Y verify`. */
export function opensshSignature({ key }: Signer, bytes: Uint8Array): string {
  const magic = Buffer.from("SSHSIG");
  const facts = [sshString(SSH_NAMESPACE), sshString(""), sshString("sha512")];
  const digest = createHash("sha512").update(bytes).digest();
  const raw = sign(null, Buffer.concat([magic, ...facts, sshString(digest)]), key);
  const blob = Buffer.concat([
    magic,
    Buffer.from([0, 0, 0, 1]),
    sshString(opensshBlob(createPublicKey(key))),
    ...facts,
    sshString(Buffer.concat([sshString("ssh-ed25519"), sshString(raw)])),
  ]);
  const lines = blob.toString("base64").match(/.{1,70}/g) ?? [];
  return ["-----BEGIN SSH SIGNATURE-----", ...lines, "-----END SSH SIGNATURE-----", ""].join("\n");
}
