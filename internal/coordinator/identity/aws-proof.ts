import { z } from "zod";
import { fail, ok, type Result } from "../../protocol/errors.ts";
import { type AwsIdentity, fits } from "../../protocol/runner-identity.ts";
import { AWS_PROOF_HEADERS } from "../../protocol/token-exchange.ts";
import { EXCHANGE } from "./limits.ts";
import type { Outbound } from "./outbound.ts";
import { later, refused, type Target, type Trusted, type Verdict } from "./verdict.ts";

export interface AwsParts {
  readonly outbound: Outbound;
  /** Origin that stands for STS beside AWS' own hosts; null: none. */
  readonly endpoint: string | null;
}

/**
 * Sends the signed request for its owner, and reads in AWS' answer who that is. Only to AWS, and only the one request
 * that tells nothing but the caller; its signature covers this coordinator's address and the runner's id, which are sent
 * as they should be: a proof for another server or runner is one that AWS refuses.
 */
export async function checkAws(
  proof: string,
  trusted: readonly Trusted<AwsIdentity>[],
  target: Target,
  { outbound, endpoint }: AwsParts,
): Promise<Verdict> {
  const wrong = wrongRequest(proof, endpoint, target.now);
  if (wrong !== null) return refused(wrong);
  const said = await outbound(proof, {
    [AWS_PROOF_HEADERS.audience]: target.origin,
    [AWS_PROOF_HEADERS.runner]: target.runnerId,
  });
  if (!said.ok) return later(said.error);
  const { status, json } = said.value;
  if (status === 429 || status >= 500) return later(`AWS answered ${status}`);
  if (status !== 200) return refused(`AWS does not accept the signature: ${status}`);
  const caller = answer.safeParse(json);
  if (!caller.success) return later("AWS answered without a caller");
  const { Arn: arn, Account: account } = caller.data.GetCallerIdentityResponse.GetCallerIdentityResult;
  const who = callerOf(arn);
  if (!who.ok || who.value.account !== account) return refused(`${arn} is neither a role nor a user`);
  const found = trusted.find(({ identity }) => isCaller(identity, who.value));
  if (!found) return refused(`${arn} is not trusted`);
  return ok({ subject: arn, identityId: found.id, once: new URL(proof).searchParams.get("X-Amz-Signature") });
}

const answer = z.object({
  GetCallerIdentityResponse: z.object({
    GetCallerIdentityResult: z.object({ Arn: z.string().max(2_048), Account: z.string().regex(/^\d{12}$/) }),
  }),
});

/** AWS' own hosts of the Security Token Service: global, regional, FIPS, China, dual stack. */
const STS =
  /^sts(-fips)?(\.[a-z]{2,3}(-[a-z]{2,12}){1,3}-\d{1,2})?\.(amazonaws\.com|amazonaws\.com\.cn|api\.aws|api\.amazonwebservices\.com\.cn)$/;
const QUERY: Readonly<Record<string, RegExp>> = {
  Action: /^GetCallerIdentity$/,
  Version: /^2011-06-15$/,
  "X-Amz-Algorithm": /^AWS4-HMAC-SHA256$/,
  "X-Amz-Credential": /^[A-Z0-9]{16,128}\/\d{8}\/[a-z0-9-]+\/sts\/aws4_request$/,
  "X-Amz-Date": /^\d{8}T\d{6}Z$/,
  "X-Amz-Expires": /^\d{1,4}$/,
  "X-Amz-SignedHeaders": new RegExp(`^host;${AWS_PROOF_HEADERS.audience};${AWS_PROOF_HEADERS.runner}$`),
  "X-Amz-Signature": /^[0-9a-f]{64}$/,
};
const TOKEN = "X-Amz-Security-Token";

/** Why this is not a request that we send for anybody. null: it is. */
function wrongRequest(proof: string, endpoint: string | null, now: number): string | null {
  const url = URL.parse(proof);
  // The text that is sent has to be the text that was looked at.
  if (url === null || url.href !== proof) return "the proof is no plain address";
  const isAws = url.protocol === "https:" && url.port === "" && STS.test(url.hostname);
  if (!isAws && url.origin !== endpoint) return `${url.host} is no host of AWS STS`;
  if (url.pathname !== "/" || url.hash !== "" || url.username !== "" || url.password !== "")
    return "the address holds more than a query";
  const given = [...url.searchParams];
  const names = new Set(given.map(([name]) => name));
  if (names.size !== given.length) return "a parameter stands twice";
  const unknown = [...names].find((name) => !(Object.hasOwn(QUERY, name) || name === TOKEN));
  if (unknown !== undefined) return "a parameter that does not belong there";
  const bad = Object.entries(QUERY).find(([name, shape]) => !shape.test(url.searchParams.get(name) ?? ""));
  if (bad) return `${bad[0]} is not as it should be`;
  const life = Number(url.searchParams.get("X-Amz-Expires")) * 1_000;
  if (life > EXCHANGE.awsLife) return "it lasts too long";
  const signed = Date.parse((url.searchParams.get("X-Amz-Date") ?? "").replace(DATE, "$1-$2-$3T$4:$5:$6Z"));
  if (!(signed <= now + EXCHANGE.skew)) return "it was signed in the future";
  return signed + life + EXCHANGE.skew < now ? "it is too old" : null;
}

const DATE = /^(....)(..)(..)T(..)(..)(..)Z$/;

type Caller = Omit<AwsIdentity, "cloud">;

function callerOf(arn: string): Result<Caller, null> {
  const role = /^arn:([a-z-]+):sts::(\d{12}):assumed-role\/([^/]+)\/([^/]+)$/.exec(arn);
  if (role)
    return ok({
      partition: role[1] ?? "",
      account: role[2] ?? "",
      kind: "role",
      name: role[3] ?? "",
      session: role[4] ?? "",
    });
  const user = /^arn:([a-z-]+):iam::(\d{12}):user\/(.+)$/.exec(arn);
  if (user)
    return ok({ partition: user[1] ?? "", account: user[2] ?? "", kind: "user", name: user[3] ?? "", session: null });
  return fail(null);
}

const isCaller = (identity: AwsIdentity, who: Caller): boolean =>
  identity.partition === who.partition &&
  identity.account === who.account &&
  identity.kind === who.kind &&
  fits(identity.name, who.name) &&
  (identity.session === null || fits(identity.session, who.session ?? ""));
