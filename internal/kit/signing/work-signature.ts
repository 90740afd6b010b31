import { sign, verify } from "node:crypto";
import { z } from "zod";
import { fail, ok, type Result, RunnerError } from "../../protocol/errors.ts";
import type { SigningKey, TrustedKeys } from "./jwk.ts";
import { type SignedWork, sha256, workDigest } from "./work-digest.ts";

/** How long after it was made a signature lets work begin; it is made when the work is handed out. */
const VALID_S = 15 * 60;
/** By how much the clocks of signer and runner may differ. */
const SKEW_S = 5 * 60;
const TYPE = "runner-work+jws";
const LIMIT = 8_192;

const header = z.strictObject({ alg: z.literal("EdDSA"), typ: z.literal(TYPE), kid: z.string().min(1).max(200) });
const payload = z.strictObject({
  /** Job, runner, execution and epoch, for people and for the reason of a refusal; all of them are in `work` too. */
  job: z.string(),
  runner: z.string(),
  execution: z.string(),
  /** SHA-256 of the plan's text; null: the job has none. */
  plan: z.string().nullable(),
  /** SHA-256 of everything the runner acts on. */
  work: z.string(),
  /** Seconds since the epoch. */
  iat: z.number().int(),
  exp: z.number().int(),
});
type Payload = z.infer<typeof payload>;

const executionOf = ({ executionId, epoch }: SignedWork): string => `${executionId}.${epoch}`;

/** A compact JWS over the work. `now`: ms since the epoch. */
export function signWork(key: SigningKey, work: SignedWork, now: number): string {
  const iat = Math.floor(now / 1000);
  const said: Payload = {
    job: work.job.id,
    runner: work.runnerId,
    execution: executionOf(work),
    plan: work.plan === null ? null : sha256(work.plan),
    work: workDigest(work),
    iat,
    exp: iat + VALID_S,
  };
  const signed = `${encode({ alg: "EdDSA", typ: TYPE, kid: key.kid })}.${encode(said)}`;
  return `${signed}.${sign(null, Buffer.from(signed), key.key).toString("base64url")}`;
}

/**
 * The name of the key that signed exactly this work, for this runner and now. Errors are of kind `policy`, with one
 * line that says what is wrong. The algorithm is ours, never the token's: `none` and every other one is refused.
 */
export function verifyWork(keys: TrustedKeys, token: string, work: SignedWork, now: number): Result<string> {
  const [head = "", body = "", signature = "", ...more] = token.length > LIMIT ? [] : token.split(".");
  if (more.length > 0 || ![head, body, signature].every((part) => /^[A-Za-z0-9_-]+$/.test(part))) {
    return refused("its signature is no JWS");
  }
  const heading = header.safeParse(decode(head));
  if (!heading.success) return refused("its signature is not one over work with Ed25519");
  const { kid } = heading.data;
  const key = keys.get(kid);
  if (key === undefined) return refused(`it is signed by the key ${JSON.stringify(kid)}, which is not trusted here`);
  const bytes = Buffer.from(signature, "base64url");
  if (bytes.length !== 64 || !verify(null, Buffer.from(`${head}.${body}`), key, bytes)) {
    return refused(`its signature by the key ${JSON.stringify(kid)} is wrong`);
  }
  const said = payload.safeParse(decode(body));
  if (!said.success) return refused("its signature is over something else than work");
  const fault = faultOf(said.data, work, Math.floor(now / 1000));
  return fault === null ? ok(kid) : refused(fault);
}

function faultOf(said: Payload, work: SignedWork, now: number): string | null {
  if (said.job !== work.job.id) return "its signature is that of another job";
  if (said.runner !== work.runnerId) return "its signature is for another runner";
  if (said.execution !== executionOf(work)) return "its signature is that of another attempt";
  if (said.plan !== (work.plan === null ? null : sha256(work.plan))) return "its plan is not the one that was signed";
  if (said.work !== workDigest(work)) return "it was changed after it was signed";
  if (now > said.exp + SKEW_S) return `its signature was valid until ${moment(said.exp)}; check the clocks`;
  if (now < said.iat - SKEW_S)
    return `its signature was made at ${moment(said.iat)}, which is later than now; check the clocks`;
  return null;
}

const moment = (seconds: number): string => new Date(seconds * 1000).toISOString();
const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

function decode(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
  } catch {
    return null;
  }
}

const refused = (why: string): Result<never> =>
  fail(new RunnerError("policy", `refused by this runner, which takes only signed work: ${why}`));

/** Work that carries no signature. */
export const unsigned = (why: string): RunnerError =>
  new RunnerError("policy", `refused by this runner, which takes only signed work: ${why}`);
