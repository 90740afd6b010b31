import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { awsCredentials, eksToken } from "../../../internal/kit/cloud/index.ts";
import { RunnerError } from "../../../internal/protocol/errors.ts";
import { type Moto, motoMissing, motoPython, startMoto } from "../../bed/moto.ts";

const skip = motoMissing() !== null && process.env.CI !== "true";
const FIXED = { access_key_id: "AKIATEST", secret_access_key: "canary-secret/key+1", session_token: "" };
const ROLE = "arn:aws:iam::123456789012:role/deployer";
/** As the cluster asks. moto reads the signature of an address from the header only, so it is repeated there. */
const who = (address: string, name: string) => {
  const query = new URL(address).searchParams;
  const of = (key: string) => query.get(`X-Amz-${key}`);
  const authorization = `${of("Algorithm")} Credential=${of("Credential")}, SignedHeaders=${of("SignedHeaders")}, Signature=${of("Signature")}`;
  return fetch(address, { headers: { "x-k8s-aws-id": name, authorization } });
};
const addressOf = (token: string) => Buffer.from(token.replace("k8s-aws-v1.", ""), "base64url").toString();

describe.skipIf(skip)("AWS credentials of a plan", () => {
  let moto: Moto;
  let strict: Moto;
  beforeAll(async () => {
    [moto, strict] = await Promise.all([startMoto(), startMoto(true)]);
  }, 60_000);
  afterAll(async () => {
    await Promise.all([moto?.end(), strict?.end()]);
  });
  const place = (url = moto.url) => ({ env: { AWS_ENDPOINT_URL_STS: url }, session: "runner-runtest" });
  const failure = async (work: () => Promise<unknown>): Promise<RunnerError> => {
    try {
      await work();
    } catch (error) {
      if (error instanceof RunnerError) return error;
    }
    throw new Error("no refusal");
  };

  test("make a token for EKS with which AWS answers who asks, for that cluster only", async () => {
    const keys = awsCredentials({ region: "eu-central-1", static: FIXED }, place());
    const { value, untilMs } = await eksToken(keys, { name: "prod", region: "eu-central-1" }, place())();
    expect(value).toStartWith("k8s-aws-v1.");
    expect(value).not.toContain("=");
    const url = new URL(addressOf(value));
    expect(url.searchParams.get("X-Amz-SignedHeaders")).toBe("host;x-k8s-aws-id");
    expect(url.searchParams.get("X-Amz-Expires")).toBe("60");
    expect((untilMs ?? 0) - Date.now()).toBeLessThan(15 * 60_000);
    const answer = await who(url.href, "prod");
    expect(await answer.text()).toContain("<GetCallerIdentityResult>");
  });

  test("sign it as AWS' own library does", async () => {
    const env = { AWS_ENDPOINT_URL_STS: "https://sts.eu-central-1.amazonaws.com" };
    const fixed = { ...FIXED, session_token: "a/session+token==" };
    const keys = awsCredentials({ region: "eu-central-1", static: fixed }, { env, session: "s" });
    const token = await eksToken(keys, { name: "prod", region: "eu-central-1" }, { env, session: "s" })();
    const ours = new URL(addressOf(token.value));
    const script = `
import sys, datetime, botocore.auth as auth, botocore.awsrequest as r, botocore.credentials as c
at = datetime.datetime.strptime(sys.argv[1], "%Y%m%dT%H%M%SZ")
class Fixed(datetime.datetime):
    @classmethod
    def utcnow(cls): return at
    @classmethod
    def now(cls, tz=None): return at if tz is None else at.replace(tzinfo=tz)
auth.datetime.datetime = Fixed if hasattr(auth.datetime, "datetime") else None
if hasattr(auth, "get_current_datetime"): auth.get_current_datetime = lambda remove_tzinfo=True: at
q = r.AWSRequest("GET", "https://sts.eu-central-1.amazonaws.com/", params={"Action": "GetCallerIdentity", "Version": "2011-06-15"}, headers={"x-k8s-aws-id": "prod"})
auth.SigV4QueryAuth(c.Credentials(*sys.argv[2:5]), "sts", "eu-central-1", expires=60).add_auth(q)
print(q.url)`;
    const args = [ours.searchParams.get("X-Amz-Date") ?? "", ...Object.values(fixed)];
    const theirs = Bun.spawnSync([motoPython, "-c", script, ...args]);
    const reference = new URL(theirs.stdout.toString().trim());
    expect(Object.fromEntries(ours.searchParams)).toEqual(Object.fromEntries(reference.searchParams));
  });

  test("assume a role, and a role by another, with a session named after the execution", async () => {
    const two = {
      iam_role_arn: ROLE.replace("deployer", "between"),
      src_iam_role_arn: "",
      src_static_credentials: FIXED,
    };
    const auth = { region: "eu-central-1", assume_role: { role_arn: ROLE, session_name: "", two_step_config: two } };
    const keys = awsCredentials(auth, place());
    const { value, untilMs } = await keys();
    expect(value.accessKeyId).toStartWith("ASIA");
    expect(untilMs).toBeGreaterThan(Date.now() + 50 * 60_000);
    const token = await eksToken(keys, { name: "prod", region: "eu-central-1" }, place())();
    const answer = await (await who(addressOf(token.value), "prod")).text();
    expect(answer).toContain(":assumed-role/deployer/runner-runtest");
    expect(await keys()).toEqual({ value, untilMs }); // asked once, not once a use
  });

  test("by the token of a GitHub Actions job", async () => {
    const seen: string[] = [];
    const github = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch(request) {
        seen.push(`${request.headers.get("authorization")} ${new URL(request.url).searchParams.get("audience")}`);
        return Response.json({ value: "a.jwt.token" });
      },
    });
    try {
      const env = {
        ...place().env,
        ACTIONS_ID_TOKEN_REQUEST_URL: `${github.url}token?x=1`,
        ACTIONS_ID_TOKEN_REQUEST_TOKEN: "github-secret",
      };
      const auth = { region: "eu-central-1", assume_role: { role_arn: ROLE, use_github_oidc: true } };
      const { value } = await awsCredentials(auth, { env, session: "s" })();
      expect(value.accessKeyId).toStartWith("ASIA");
      expect(seen).toEqual(["Bearer github-secret sts.amazonaws.com"]);
    } finally {
      await github.stop(true);
    }
  });

  test("that AWS refuses fail in one line with the role, the remedy and no secret", async () => {
    const two = { src_static_credentials: FIXED };
    const auth = { region: "eu-central-1", assume_role: { role_arn: ROLE, two_step_config: two } };
    const error = await failure(awsCredentials(auth, place(strict.url)));
    expect(error.message).toContain(`the role ${ROLE} cannot be assumed`);
    expect(error.message).not.toContain("\n");
    expect(error.remedy).toContain("trust policy");
    expect(error.message).not.toContain("canary");
  });

  test("that a plan does not name, or asks for too long, are refused before anything is asked", async () => {
    expect((await failure(async () => awsCredentials({ region: "x" }, place()))).message).toContain("names none of");
    const long = { assume_role: { role_arn: ROLE, session_duration_seconds: 7200 } };
    expect((await failure(async () => awsCredentials(long, place()))).message).toContain("at most 3600");
  });
});

describe("tokens of other clouds", () => {
  /** Answers like the identity service of an Azure machine and the metadata server of a Google one. */
  const machine = () =>
    Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch(request) {
        const url = new URL(request.url);
        if (url.pathname === "/msi/token") {
          const resource = url.searchParams.get("resource");
          const expires_on = String(Math.floor(Date.now() / 1000) + 3600);
          return Response.json({ access_token: `aad for ${resource}`, expires_on, resource, token_type: "Bearer" });
        }
        if (url.pathname.endsWith("/token")) {
          const headers = { "metadata-flavor": "Google" };
          return Response.json({ access_token: "google token", expires_in: 3600, token_type: "Bearer" }, { headers });
        }
        return new Response("ok", { headers: { "metadata-flavor": "Google" } });
      },
    });
  const mint = async (cloud: string, env: Record<string, string>): Promise<unknown> => {
    const child = Bun.spawn([process.execPath, join(import.meta.dir, "mint.ts"), cloud], {
      env: { PATH: process.env.PATH ?? "", HOME: "/nonexistent", ...env },
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    return out === "" ? err : JSON.parse(out);
  };

  test("AKS: the machine's managed identity, for the server that every AKS cluster is", async () => {
    const server = machine();
    try {
      const env = { IDENTITY_ENDPOINT: `${server.url}msi/token`, IDENTITY_HEADER: "x" };
      expect(await mint("azure", env)).toEqual({
        value: "aad for 6dae42f8-4368-4678-94ff-3960e28e3630",
        untilMs: expect.any(Number),
      });
    } finally {
      await server.stop(true);
    }
  }, 30_000);

  test("GKE: the service account of the machine", async () => {
    const server = machine();
    try {
      const minted = await mint("google", { GCE_METADATA_HOST: `127.0.0.1:${server.port}` });
      expect(minted).toEqual({ value: "google token", untilMs: expect.any(Number) });
    } finally {
      await server.stop(true);
    }
  }, 30_000);
});
