import { createHash, createHmac } from "node:crypto";

/** Someone whom AWS knows. */
export interface AwsKey {
  readonly id: string;
  readonly secret: string;
  /** Of temporary keys. */
  readonly session?: string;
  readonly arn: string;
}

const encoded = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
const hmac = (key: string | Buffer, text: string) => createHmac("sha256", key).update(text).digest();

/**
 * AWS' side of a signed GetCallerIdentity: the signature is computed anew from what came over the wire (Signature
 * Version 4, query form). `host` is that of the address that was signed.
 */
export function callerIdentity(keys: readonly AwsKey[], request: Request, host: string, now = Date.now()): Response {
  const { searchParams } = new URL(request.url);
  const of = (name: string) => searchParams.get(`X-Amz-${name}`) ?? "";
  const [id = "", date = "", region = "", service = ""] = of("Credential").split("/");
  const key = keys.find((one) => one.id === id && (one.session ?? "") === of("Security-Token"));
  if (!key) return refusal("InvalidClientTokenId");
  const names = of("SignedHeaders").split(";");
  const headers = names.map((name) => `${name}:${name === "host" ? host : (request.headers.get(name) ?? "").trim()}\n`);
  const query = [...searchParams]
    .filter(([name]) => name !== "X-Amz-Signature")
    .map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
    .sort()
    .join("&");
  const body = createHash("sha256").update("").digest("hex");
  const canonical = ["GET", "/", query, headers.join(""), names.join(";"), body].join("\n");
  const scope = `${date}/${region}/${service}/aws4_request`;
  const hash = createHash("sha256").update(canonical).digest("hex");
  const text = ["AWS4-HMAC-SHA256", of("Date"), scope, hash].join("\n");
  const signing = hmac(hmac(hmac(hmac(`AWS4${key.secret}`, date), region), service), "aws4_request");
  if (hmac(signing, text).toString("hex") !== of("Signature")) return refusal("SignatureDoesNotMatch");
  const at = Date.parse(of("Date").replace(/^(....)(..)(..)T(..)(..)(..)Z$/, "$1-$2-$3T$4:$5:$6Z"));
  if (at + Number(of("Expires")) * 1_000 < now) return refusal("ExpiredTokenException");
  const GetCallerIdentityResult = { Account: key.arn.split(":")[4], Arn: key.arn, UserId: "AIDAEXAMPLE" };
  return Response.json({ GetCallerIdentityResponse: { GetCallerIdentityResult, ResponseMetadata: {} } });
}

const refusal = (code: string) => Response.json({ Error: { Code: code, Type: "Sender" } }, { status: 403 });
