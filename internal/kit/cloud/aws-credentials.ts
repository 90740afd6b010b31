import { RunnerError, reasonOf } from "../../protocol/errors.ts";
import type { AwsAuth } from "../../protocol/nuon/plans.ts";
import { type Expiring, type Renewed, renewed } from "./renewed.ts";

export interface AwsKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Only of temporary keys. */
  readonly sessionToken: string | null;
}

/** Where and as whom the runner itself is, for what a plan leaves open. */
export interface AwsPlace {
  /** Environment of the runner's process; the SDK's own default chain reads it by itself. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Name of role sessions that have none: shows in AWS' audit trail. */
  readonly session: string;
}

/** Longest session that a role which was assumed by another role can have (AWS, "role chaining"). */
const LONGEST_S = 3600;

/**
 * Keys of a plan's `aws_auth` (nuon-handlers.md 2.1, 5.1), by its precedence: profile, default, static, role. They are
 * renewed before they expire. Throws RunnerError: `protocol` for a block that names nothing, `environment` when the
 * machine has no credentials, `job` when AWS refuses.
 */
export function awsCredentials(auth: AwsAuth, place: AwsPlace): Renewed<AwsKeys> {
  const { profile, use_default, static: fixed, assume_role: role } = auth;
  if (profile) return renewed(() => machineKeys(place, profile));
  if (use_default) return renewed(() => machineKeys(place, null));
  if (fixed?.access_key_id) return () => Promise.resolve(fixedKeys(fixed));
  if (role?.role_arn) {
    if ((role.session_duration_seconds ?? 0) > LONGEST_S) {
      throw new RunnerError(
        "protocol",
        `session_duration_seconds is ${role.session_duration_seconds}; at most ${LONGEST_S} is possible`,
      );
    }
    return renewed(() => roleKeys(role, regionOf(auth, place), place));
  }
  throw new RunnerError("protocol", "aws_auth names none of profile, use_default, static and assume_role");
}

/** The region of a block, else the machine's. */
export const regionOf = (auth: Pick<AwsAuth, "region">, { env }: AwsPlace): string =>
  auth.region || env.AWS_REGION || env.AWS_DEFAULT_REGION || "us-east-1";

function fixedKeys(keys: NonNullable<AwsAuth["static"]>): Expiring<AwsKeys> {
  const { access_key_id: accessKeyId, secret_access_key: secretAccessKey, session_token: token } = keys;
  if (!accessKeyId || !secretAccessKey) throw new RunnerError("protocol", "aws_auth.static lacks a key");
  return { value: { accessKeyId, secretAccessKey, sessionToken: token || null }, untilMs: null };
}

async function machineKeys({ env }: AwsPlace, profile: string | null): Promise<Expiring<AwsKeys>> {
  const { defaultProvider } = await import("@aws-sdk/credential-provider-node");
  const what = profile === null ? "the runner's machine" : `the profile ${profile} of the runner's machine`;
  try {
    const found = await defaultProvider({
      ...(profile === null ? {} : { profile }),
      ...(env.AWS_REGION ? { clientConfig: { region: env.AWS_REGION } } : {}),
    })();
    return toKeys({ ...found, expiration: found.expiration });
  } catch (cause) {
    throw new RunnerError("environment", `${what} has no AWS credentials: ${oneLine(cause)}`, {
      remedy: "Give the machine an instance profile, the pod a role, or the runner's process AWS_* variables.",
      cause,
    });
  }
}

type Role = NonNullable<AwsAuth["assume_role"]>;

/** Source keys → source role → role in between → role: each step only where the block names it. */
async function roleKeys(role: Role, region: string, place: AwsPlace): Promise<Expiring<AwsKeys>> {
  const { two_step_config: two } = role;
  const arn = role.role_arn ?? "";
  if (role.use_github_oidc) return webIdentity(role, region, place);
  const fixed = two?.src_static_credentials;
  let keys = fixed?.access_key_id ? fixedKeys(fixed) : await machineKeys(place, null);
  for (const before of [two?.src_iam_role_arn, two?.iam_role_arn]) {
    if (before)
      keys = await assume(
        keys.value,
        { arn: before, session: sessionOf(role, place), seconds: LONGEST_S },
        region,
        place,
      );
  }
  const seconds = role.session_duration_seconds || LONGEST_S;
  return assume(keys.value, { arn, session: sessionOf(role, place), seconds }, region, place);
}

const sessionOf = (role: Pick<Role, "session_name">, { session }: AwsPlace) =>
  (role.session_name || session).replace(/[^\w+=,.@-]/g, "-").slice(0, 64);

interface Session {
  readonly arn: string;
  readonly session: string;
  readonly seconds: number;
}

/** One role with the keys of another. */
export async function assume(
  keys: AwsKeys,
  { arn, session, seconds }: Session,
  region: string,
  place: AwsPlace,
): Promise<Expiring<AwsKeys>> {
  const { AssumeRoleCommand } = await import("@aws-sdk/client-sts");
  const sts = await stsClient(region, place, keys);
  return refusals(arn, async () => {
    const input = { RoleArn: arn, RoleSessionName: session, DurationSeconds: seconds };
    return (await sts.send(new AssumeRoleCommand(input))).Credentials;
  });
}

async function webIdentity(role: Role, region: string, place: AwsPlace): Promise<Expiring<AwsKeys>> {
  const arn = role.role_arn ?? "";
  const token = await githubToken(place.env);
  const { AssumeRoleWithWebIdentityCommand } = await import("@aws-sdk/client-sts");
  const sts = await stsClient(region, place, null);
  return refusals(arn, async () => {
    const seconds = role.session_duration_seconds || LONGEST_S;
    const input = {
      RoleArn: arn,
      RoleSessionName: sessionOf(role, place),
      DurationSeconds: seconds,
      WebIdentityToken: token,
    };
    return (await sts.send(new AssumeRoleWithWebIdentityCommand(input))).Credentials;
  });
}

/** Token of the GitHub Actions job that this runner is part of (docs.github.com, "OpenID Connect"). */
async function githubToken(env: AwsPlace["env"]): Promise<string> {
  const { ACTIONS_ID_TOKEN_REQUEST_URL: url, ACTIONS_ID_TOKEN_REQUEST_TOKEN: secret } = env;
  const remedy = "Run it in a GitHub Actions job with `permissions: id-token: write`.";
  if (!url || !secret)
    throw new RunnerError("environment", "this runner is no GitHub Actions job with a token", { remedy });
  const asked = new URL(url);
  asked.searchParams.set("audience", "sts.amazonaws.com");
  const headers = { authorization: `Bearer ${secret}` };
  const answer = await fetch(asked, { headers, signal: AbortSignal.timeout(30_000) });
  const body: unknown = answer.ok ? await answer.json() : null;
  if (body !== null && typeof body === "object" && "value" in body && typeof body.value === "string") return body.value;
  throw new RunnerError("environment", `GitHub gives no token: ${answer.status}`, { remedy });
}

/** `keys` null: unsigned, for a web identity. Endpoint variables of the process are obeyed as the SDK does. */
async function stsClient(region: string, { env }: AwsPlace, keys: AwsKeys | null) {
  const { STSClient } = await import("@aws-sdk/client-sts");
  const endpoint = stsEndpoint(env);
  return new STSClient({
    region,
    maxAttempts: 4,
    ...(endpoint === null ? {} : { endpoint }),
    ...(keys === null ? {} : { credentials: sdkKeys(keys) }),
  });
}

export const stsEndpoint = (env: AwsPlace["env"]): string | null =>
  env.AWS_ENDPOINT_URL_STS || env.AWS_ENDPOINT_URL || null;

export const sdkKeys = ({ accessKeyId, secretAccessKey, sessionToken }: AwsKeys) => ({
  accessKeyId,
  secretAccessKey,
  ...(sessionToken === null ? {} : { sessionToken }),
});

async function refusals(
  arn: string,
  ask: () => Promise<
    | {
        AccessKeyId?: string | undefined;
        SecretAccessKey?: string | undefined;
        SessionToken?: string | undefined;
        Expiration?: Date | undefined;
      }
    | undefined
  >,
): Promise<Expiring<AwsKeys>> {
  try {
    const given = await ask();
    return toKeys({
      accessKeyId: given?.AccessKeyId ?? "",
      secretAccessKey: given?.SecretAccessKey ?? "",
      sessionToken: given?.SessionToken,
      expiration: given?.Expiration,
    });
  } catch (cause) {
    throw new RunnerError("job", `the role ${arn} cannot be assumed: ${oneLine(cause)}`, {
      remedy: "The role's trust policy must allow the identity of the runner's machine; CloudTrail shows who asked.",
      cause,
    });
  }
}

function toKeys(found: {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  readonly expiration?: Date | undefined;
}): Expiring<AwsKeys> {
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = found;
  return {
    value: { accessKeyId, secretAccessKey, sessionToken: sessionToken ?? null },
    untilMs: expiration?.getTime() ?? null,
  };
}

const oneLine = (error: unknown) => reasonOf(error).replace(/\s+/g, " ").slice(0, 300);
