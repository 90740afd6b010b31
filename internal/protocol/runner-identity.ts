import { fail, ok, type Result } from "./errors.ts";

/**
 * Who may get the token of a runner without a person, on one line:
 *
 * | text | the proof comes from |
 * |---|---|
 * | `aws:ARN` of a role, a role's session (`sts` form) or a user | a signed GetCallerIdentity |
 * | `gcp:EMAIL[,project=ID][,instance=ID][,zone=ZONE]` | the identity token of a service account |
 * | `azure:TENANT,object=UUID` or `azure:TENANT,resource=ID`, `[,audience=TEXT]` | the token of a managed identity |
 * | `oidc:ISSUER,CLAIM=VALUE,…[,audience=TEXT][,jwks=URL]` | any OpenID Connect token |
 *
 * A value may end in `*` behind a character that is no letter or digit: `web-*`, `repo:acme/infra:*`.
 */
export type RunnerIdentity = AwsIdentity | JwtIdentity;

export interface AwsIdentity {
  readonly cloud: "aws";
  readonly partition: string;
  readonly account: string;
  readonly kind: "role" | "user";
  /** Of a role without its path, which STS does not tell; of a user with it. */
  readonly name: string;
  /** Of a role; null: any. */
  readonly session: string | null;
}

export interface JwtIdentity {
  readonly cloud: "gcp" | "azure" | "oidc";
  /** `keys`: address of its keys; null: it tells by OpenID discovery. */
  readonly issuers: readonly { readonly issuer: string; readonly keys: string | null }[];
  /** null: see `audienceOf`. */
  readonly audience: string | null;
  readonly claims: readonly ClaimRule[];
}

export interface ClaimRule {
  /** Name of a claim, or a path of names with dots between. */
  readonly name: string;
  readonly value: string;
  /** Upper and lower case are the same. */
  readonly folded?: true;
}

/** For whom a proof of this cloud has to be, unless the identity names another audience. */
export const audienceOf = (cloud: "aws" | JwtIdentity["cloud"], origin: string, runnerId: string): string =>
  cloud === "gcp" ? `${origin}/v1/runners/${runnerId}` : origin;

/** Whether `value` is what a text with or without `*` at its end asks for. */
export const fits = (wanted: string, value: string): boolean =>
  wanted.endsWith("*") ? value.startsWith(wanted.slice(0, -1)) : value === wanted;

const LONGEST = 1_000;

/** The error is a phrase for people. */
export function parseIdentity(text: string): Result<RunnerIdentity, string> {
  if (text.length > LONGEST || /[^\x21-\x7e]/.test(text)) return fail(`at most ${LONGEST} characters, without spaces`);
  const colon = text.indexOf(":");
  const rest = text.slice(colon + 1);
  switch (text.slice(0, Math.max(colon, 0))) {
    case "aws":
      return awsIdentity(rest);
    case "gcp":
      return gcpIdentity(rest);
    case "azure":
      return azureIdentity(rest);
    case "oidc":
      return oidcIdentity(rest);
    default:
      return fail("it begins with aws:, gcp:, azure: or oidc:");
  }
}

const ARN = /^arn:(aws|aws-cn|aws-us-gov):(iam|sts)::(\d{12}):(role|user|assumed-role)\/(.+)$/;
const PART = /^[\w+=,.@-]+\*?$/;

function awsIdentity(arn: string): Result<AwsIdentity, string> {
  const [, partition = "", service, account = "", what, path = ""] = ARN.exec(arn) ?? [];
  const parts = path.split("/");
  const usage =
    "the ARN of a role, a user or a role's session: arn:aws:iam::ACCOUNT:role/NAME, arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION";
  if ((what === "assumed-role") !== (service === "sts") || !parts.every((part) => PART.test(part))) return fail(usage);
  const base = { cloud: "aws", partition, account } as const;
  const [role = "", session] = parts;
  if (what === "assumed-role") {
    if (parts.length !== 2 || session === undefined) return fail(usage);
    return starred([role, session], { ...base, kind: "role", name: role, session });
  }
  if (what === "user") {
    return path.includes("*") ? fail("a user holds no *") : ok({ ...base, kind: "user", name: path, session: null });
  }
  const name = parts.at(-1) ?? "";
  // STS does not tell the path: a star in it would say what cannot be held.
  return parts.slice(0, -1).some((part) => part.includes("*"))
    ? fail("a path of a role holds no *")
    : starred([name], { ...base, kind: "role", name, session: null });
}

function gcpIdentity(rest: string): Result<JwtIdentity, string> {
  const parsed = pairs(rest, ["project", "instance", "zone"]);
  if (!parsed.ok) return parsed;
  const { first: email, named } = parsed.value;
  if (!/^[^@*]+@[^@*]+$/.test(email))
    return fail("the e-mail address of a service account: gcp:NAME@PROJECT.iam.gserviceaccount.com");
  const names = { project: "project_id", instance: "instance_id", zone: "zone" } as const;
  const machine = Object.entries(names).flatMap(([key, claim]) => {
    const value = named.get(key);
    return value === undefined ? [] : [{ name: `google.compute_engine.${claim}`, value }];
  });
  const claims = [{ name: "email", value: email }, { name: "email_verified", value: "true" }, ...machine];
  return jwt("gcp", [{ issuer: "https://accounts.google.com", keys: GOOGLE_KEYS }], null, claims);
}

const GOOGLE_KEYS = "https://www.googleapis.com/oauth2/v3/certs";
const ENTRA = "https://login.microsoftonline.com";
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

function azureIdentity(rest: string): Result<JwtIdentity, string> {
  const parsed = pairs(rest, ["object", "resource", "audience"]);
  if (!parsed.ok) return parsed;
  const { first, named } = parsed.value;
  const tenant = first.toLowerCase();
  const object = named.get("object");
  const resource = named.get("resource");
  if (!UUID.test(tenant)) return fail("the id of a tenant: azure:TENANT,object=ID");
  if (object === undefined && resource === undefined)
    return fail("object=ID of the identity, or resource=/subscriptions/…");
  if (object !== undefined && !UUID.test(object)) return fail("object is the id (UUID) of the identity");
  if (resource !== undefined && !/^\/subscriptions\/[^/*]+\/resourcegroups\/[^/*]+\/providers\/.+/i.test(resource))
    return fail("resource is /subscriptions/ID/resourceGroups/NAME/providers/…");
  const claims: ClaimRule[] = [
    { name: "tid", value: tenant, folded: true },
    ...(object === undefined ? [] : [{ name: "oid", value: object, folded: true as const }]),
    ...(resource === undefined ? [] : [{ name: "xms_mirid", value: resource, folded: true as const }]),
  ];
  const issuers = [
    { issuer: `https://sts.windows.net/${tenant}/`, keys: `${ENTRA}/${tenant}/discovery/keys` },
    { issuer: `${ENTRA}/${tenant}/v2.0`, keys: `${ENTRA}/${tenant}/discovery/v2.0/keys` },
  ];
  return jwt("azure", issuers, named.get("audience") ?? null, claims);
}

function oidcIdentity(rest: string): Result<JwtIdentity, string> {
  const parsed = pairs(rest, null);
  if (!parsed.ok) return parsed;
  const { first: issuer, named } = parsed.value;
  const keys = named.get("jwks") ?? null;
  if (!isPlainHttps(issuer)) return fail("the https address of an issuer: oidc:https://issuer.example.com,sub=…");
  if (keys !== null && !isPlainHttps(keys)) return fail("jwks is an https address");
  const claims = [...named]
    .filter(([name]) => name !== "audience" && name !== "jwks")
    .map(([name, value]) => ({ name, value }));
  if (!claims.some(({ name }) => name === "sub")) return fail("which subject of the issuer: sub=VALUE");
  return jwt("oidc", [{ issuer, keys }], named.get("audience") ?? null, claims);
}

function jwt(
  cloud: JwtIdentity["cloud"],
  issuers: JwtIdentity["issuers"],
  audience: string | null,
  claims: readonly ClaimRule[],
): Result<JwtIdentity, string> {
  if (audience?.includes("*")) return fail("an audience holds no *");
  return starred(
    claims.map(({ value }) => value),
    { cloud, issuers, audience, claims },
  );
}

/** `FIRST,name=value,…`, each name once. `allowed` null: any. */
function pairs(
  text: string,
  allowed: readonly string[] | null,
): Result<{ readonly first: string; readonly named: ReadonlyMap<string, string> }, string> {
  const [first = "", ...others] = text.split(",");
  const named = new Map<string, string>();
  for (const one of others) {
    const [, name = "", value = ""] = /^([A-Za-z0-9_./:-]+)=(.+)$/.exec(one) ?? [];
    if (name === "") return fail("behind a comma stands NAME=VALUE");
    if (allowed !== null && !allowed.includes(name)) return fail(`behind a comma stands one of ${allowed.join(", ")}`);
    if (named.has(name)) return fail(`${name} stands once`);
    named.set(name, value);
  }
  return ok({ first, named });
}

/** `web*` would be web-admin and website too: a star stands behind something that ends a word. */
function starred<T>(texts: readonly string[], value: T): Result<T, string> {
  const wrong = texts.find((text) => text.includes("*") && !/^[^*]*[A-Za-z0-9][^*]*[^A-Za-z0-9*]\*$/.test(text));
  return wrong === undefined
    ? ok(value)
    : fail("a * stands at the end, behind a character that is no letter or digit: web-*");
}

function isPlainHttps(text: string): boolean {
  const url = URL.parse(text);
  return (
    url !== null &&
    url.protocol === "https:" &&
    url.username === "" &&
    url.password === "" &&
    !/[?#*\\]/.test(text) &&
    text.startsWith("https://")
  );
}
