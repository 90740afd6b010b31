import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { z } from "zod";
import { fail, ok, type Result, RunnerError } from "../../protocol/errors.ts";

/** Ed25519 keys as RFC 8037 writes them; 32 bytes are 43 characters. */
const bytes32 = z.string().regex(/^[A-Za-z0-9_-]{43}$/, "32 bytes in base64url");
const publicJwk = z.object({
  kty: z.literal("OKP"),
  crv: z.literal("Ed25519"),
  x: bytes32,
  kid: z.string().min(1).max(200).optional(),
  use: z.literal("sig").optional(),
  alg: z.enum(["EdDSA", "Ed25519"]).optional(),
  d: z.never("is there: it holds a private key, which belongs to the signer alone").optional(),
});
const privateJwk = publicJwk.extend({ d: bytes32 });
const jwks = z.object({ keys: z.array(publicJwk).min(1).max(100) });

export interface PublicJwk {
  readonly kty: "OKP";
  readonly crv: "Ed25519";
  readonly x: string;
  readonly kid: string;
  readonly use: "sig";
  readonly alg: "EdDSA";
}

/** A key that signs, with the name others know it by. */
export interface SigningKey {
  readonly kid: string;
  readonly key: KeyObject;
  readonly jwk: PublicJwk;
}

/** Keys that are trusted, by name. */
export type TrustedKeys = ReadonlyMap<string, KeyObject>;

/** RFC 7638: the name of a key that has none of its own. */
export const thumbprint = (x: string): string =>
  createHash("sha256").update(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`).digest("base64url");

const publicOf = (x: string, kid = thumbprint(x)): PublicJwk => ({
  kty: "OKP",
  crv: "Ed25519",
  x,
  kid,
  use: "sig",
  alg: "EdDSA",
});

/** A new key as the text of its file. */
export function makeSigningKey(): { readonly text: string; readonly jwk: PublicJwk } {
  const { x = "", d = "" } = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  const jwk = publicOf(x);
  return { text: `${JSON.stringify({ ...jwk, d })}\n`, jwk };
}

/** A private key from its file: one JWK. Errors (usage) never show what they found. */
export function readSigningKey(text: string, path: string): Result<SigningKey> {
  const parsed = privateJwk.safeParse(jsonOf(text));
  if (!parsed.success) return bad(`${path} holds no Ed25519 signing key`, "Make one with `runner keys create FILE`.");
  const { x, d, kid } = parsed.data;
  try {
    const key = createPrivateKey({ key: { kty: "OKP", crv: "Ed25519", x, d }, format: "jwk" });
    // Whoever put two halves together would sign what nobody can check.
    if (createPublicKey(key).export({ format: "jwk" }).x !== x) return bad(`${path}: the two halves of the key differ`);
    const jwk = publicOf(x, kid);
    return ok({ kid: jwk.kid, key, jwk });
  } catch {
    return bad(`${path} holds no Ed25519 signing key`, "Make one with `runner keys create FILE`.");
  }
}

/** Public keys of a JWKS, or of one JWK. Errors (usage) name file and key. */
export function readTrustedKeys(text: string, path: string): Result<TrustedKeys> {
  const value = jsonOf(text);
  const parsed = jwks.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return bad(`${path} holds no keys to trust: ${issue?.path.join(".") || "the document"}: ${issue?.message}`);
  }
  const keys = new Map<string, KeyObject>();
  for (const { x, kid = thumbprint(x) } of parsed.data.keys) {
    if (keys.has(kid)) return bad(`${path}: two keys are called ${kid}`);
    keys.set(kid, createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" }));
  }
  return ok(keys);
}

const bad = (message: string, remedy = "It is a JWKS with Ed25519 keys, as `runner keys show` prints it.") =>
  fail(new RunnerError("usage", message, { remedy }));

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
