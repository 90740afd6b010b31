// Not by import(): with --splitting Bun 1.4.5 writes a chunk for it that the compiled program does not find.
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTPayload, jwtVerify } from "jose";
import { ok, type Result, reasonOf } from "../../protocol/errors.ts";
import { audienceOf, type ClaimRule, fits, type JwtIdentity } from "../../protocol/runner-identity.ts";
import type { IssuerKeys, KeyPlace } from "./issuer-keys.ts";
import { EXCHANGE } from "./limits.ts";
import { later, type Refusal, refused, type Target, type Trusted, type Verdict } from "./verdict.ts";

/** Signatures of public keys only: never `none`, never a shared secret. */
const ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];

/** The identity that a token of a cloud fits. Nothing is asked of an issuer that no identity of the runner names. */
export async function checkJwt(
  proof: string,
  trusted: readonly Trusted<JwtIdentity>[],
  target: Target,
  keys: IssuerKeys,
): Promise<Verdict> {
  const issuer = issuerOf(proof);
  if (issuer === null) return refused("the proof is no JWT");
  let why: Refusal = { kind: "refused", why: `no identity of this runner is of ${issuer}` };
  for (const { id, identity } of trusted) {
    const place = identity.issuers.find((one) => one.issuer === issuer);
    if (!place) continue;
    const audience = identity.audience ?? audienceOf(identity.cloud, target.origin, target.runnerId);
    const read = await verified(proof, place, { audience, now: target.now }, keys);
    const wrong = read.ok ? wrongClaim(read.value, identity.claims) : null;
    if (read.ok && wrong === null) return ok({ subject: subjectOf(read.value), identityId: id, once: null });
    // What could not be checked may fit; it goes before what does not.
    if (!read.ok && (read.error.kind === "later" || why.kind === "refused")) why = read.error;
    else if (read.ok && why.kind === "refused") why = { kind: "refused", why: `${subjectOf(read.value)}: ${wrong}` };
  }
  return why.kind === "later" ? later(why.why) : refused(why.why);
}

interface Wanted {
  readonly audience: string;
  readonly now: number;
}

async function verified(
  proof: string,
  place: KeyPlace,
  wanted: Wanted,
  keys: IssuerKeys,
): Promise<Result<JWTPayload, Refusal>> {
  const known = await keys.of(place);
  if (!known.ok) return later(known.error);
  const first = await withKeys(proof, place, wanted, known.value);
  if (first.ok || first.error.why !== NO_KEY) return first;
  // The issuer may have a new key since.
  const newer = await keys.of(place, true);
  return newer.ok && newer.value !== known.value ? withKeys(proof, place, wanted, newer.value) : first;
}

const NO_KEY = "signed by a key that the issuer does not name";

async function withKeys(
  proof: string,
  { issuer }: KeyPlace,
  { audience, now }: Wanted,
  keys: JSONWebKeySet,
): Promise<Result<JWTPayload, Refusal>> {
  try {
    const { payload } = await jwtVerify(proof, createLocalJWKSet(keys), {
      issuer,
      audience,
      algorithms: ALGORITHMS,
      requiredClaims: ["iss", "aud", "exp", "iat", "sub"],
      clockTolerance: EXCHANGE.skew / 1_000,
      maxTokenAge: EXCHANGE.jwtLife / 1_000,
      currentDate: new Date(now),
    });
    if (((payload.exp ?? 0) - (payload.iat ?? 0)) * 1_000 > EXCHANGE.jwtLife) return refused("it lasts too long");
    // Whoever else it is for could show it here.
    return [payload.aud].flat().length === 1 ? ok(payload) : refused("it is for several audiences");
  } catch (error) {
    if (error instanceof errors.JWKSNoMatchingKey) return refused(NO_KEY);
    if (!(error instanceof errors.JWTClaimValidationFailed)) return refused(reasonOf(error));
    return refused(error.claim === "aud" ? `it is not for ${audience}` : reasonOf(error));
  }
}

function issuerOf(proof: string): string | null {
  const body = /^[\w-]+\.([\w-]+)\.[\w-]+$/.exec(proof)?.[1];
  if (body === undefined) return null;
  try {
    const claims: unknown = JSON.parse(Buffer.from(body, "base64url").toString("utf8"));
    const issuer = claims !== null && typeof claims === "object" && "iss" in claims ? claims.iss : null;
    return typeof issuer === "string" && issuer.length <= 1_000 ? issuer : null;
  } catch {
    return null;
  }
}

/** What does not fit, for the log. null: all do. */
function wrongClaim(payload: JWTPayload, rules: readonly ClaimRule[]): string | null {
  for (const { name, value, folded } of rules) {
    const said = claimOf(payload, name);
    const same = said !== null && (folded ? fits(value.toLowerCase(), said.toLowerCase()) : fits(value, said));
    if (!same) return said === null ? `there is no ${name}` : `${name} is ${said}`;
  }
  return null;
}

/** A claim by its name or, where no claim has that name, by the path of names in it. Only plain values count. */
function claimOf(payload: JWTPayload, name: string): string | null {
  const plain = (value: unknown) =>
    typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? String(value) : null;
  if (Object.hasOwn(payload, name)) return plain(payload[name]);
  let value: unknown = payload;
  for (const part of name.split(".")) {
    if (value === null || typeof value !== "object" || Array.isArray(value) || !Object.hasOwn(value, part)) return null;
    value = Object.entries(value).find(([key]) => key === part)?.[1];
  }
  return plain(value);
}

/** The name that people know it by. */
const subjectOf = (payload: JWTPayload): string =>
  (claimOf(payload, "xms_mirid") ?? claimOf(payload, "email") ?? payload.sub ?? "").slice(0, 500);
