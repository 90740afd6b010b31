import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { makeCommands, runPage } from "../../e2e/docs/page-shell.ts";
import { type Control, startControl } from "../../faults/lib/control.ts";
import { action } from "../../faults/lib/jobs.ts";
import { type Bed, makeBed, until } from "../../faults/lib/processes.ts";
import { type ConnectProxy, startConnectProxy } from "../../lib/connect-proxy.ts";
import { type IssuerKey, issuerKey } from "../../lib/issuer.ts";
import { makePki } from "../../lib/pki.ts";
import { type AwsKey, callerIdentity } from "../../lib/sts.ts";

setDefaultTimeout(120_000);

/**
 * The whole way: metadata services, the command, a coordinator that reaches the clouds by their own names through a
 * proxy, and the runner. The clouds' keys and certificates are this test's, and real.
 */
const TENANT = "11111111-2222-3333-4444-555555555555";
const OBJECT = "66666666-7777-8888-9999-000000000000";
const EMAIL = "runner@acme.iam.gserviceaccount.com";
const SUB = "system:serviceaccount:prod:runner";
const STS = "sts.eu-central-1.amazonaws.com";
const AWS: AwsKey = {
  id: "ASIARUNNERRUNNERRUN1",
  secret: "secret-of-the-machine",
  session: "session+of/it==",
  arn: "arn:aws:sts::123456789012:assumed-role/runner/i-0abc",
};
const IDENTITIES = {
  aws: "aws:arn:aws:iam::123456789012:role/runner",
  gcp: `gcp:${EMAIL},project=acme`,
  azure: `azure:${TENANT},object=${OBJECT},audience=api://runner`,
  oidc: `oidc:https://token.example.com,sub=${SUB}`,
} as const;
type Cloud = keyof typeof IDENTITIES;

let bed: Bed;
let proxy: ConnectProxy;
let clouds: ReturnType<typeof Bun.serve>;
let metadata: ReturnType<typeof Bun.serve>;
let key: IssuerKey;
let control: Control;

beforeAll(async () => {
  bed = makeBed();
  [proxy, key] = await Promise.all([startConnectProxy(), issuerKey("ES256", "es-1")]);
  const hosts = [STS, "www.googleapis.com", "login.microsoftonline.com", "token.example.com"];
  const pki = makePki(bed.path("pki"));
  const { cert, key: tlsKey } = pki.issue("clouds", { names: hosts.map((host) => `DNS:${host}`).join(",") });
  clouds = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    tls: { cert: Bun.file(cert), key: Bun.file(tlsKey) },
    fetch(request) {
      const host = request.headers.get("host") ?? "";
      if (host === STS) return callerIdentity([AWS], request, host);
      if (request.url.endsWith("/.well-known/openid-configuration"))
        return Response.json({ issuer: `https://${host}`, jwks_uri: `https://${host}/keys` });
      return Response.json({ keys: [key.jwk] });
    },
  });
  for (const host of hosts) proxy.name(host, clouds.port ?? 0);
  metadata = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: machine });
  const env = { HTTPS_PROXY: proxy.url };
  control = await startControl(bed, { env, flags: ["--ca-file", pki.ca] });
}, 60_000);
afterAll(async () => {
  await bed.end();
  await Promise.all([clouds.stop(true), metadata.stop(true)]);
  proxy.stop();
});

const seconds = () => Math.floor(Date.now() / 1_000);
const token = (claims: Record<string, unknown>) => key.sign({ iat: seconds(), exp: seconds() + 3_600, ...claims });

/** What the metadata services of a machine on Google's and on Microsoft's cloud answer. */
async function machine(request: Request): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  if (pathname.endsWith("/identity")) {
    const google = { compute_engine: { project_id: "acme", instance_id: "42" } };
    const aud = searchParams.get("audience") ?? "";
    const about = { iss: "https://accounts.google.com", sub: "1", email: EMAIL, email_verified: true };
    return new Response(await token({ ...about, aud, google }));
  }
  const aud = searchParams.get("resource") ?? "";
  const about = { iss: `https://sts.windows.net/${TENANT}/`, sub: OBJECT, tid: TENANT, oid: OBJECT };
  return Response.json({ access_token: await token({ ...about, aud }) });
}

interface Made {
  readonly id: string;
  readonly token: string;
}
const operate = async (...args: string[]): Promise<unknown> => {
  const { code, stdout, stderr } = await bed.run([...args, "--json"], control.admin());
  if (code !== 0) throw new Error(`${args.join(" ")}: ${code} ${stderr}`);
  return JSON.parse(stdout);
};
const create = (name: string, cloud: Cloud) =>
  operate("runners", "create", name, "--identity", IDENTITIES[cloud]) as Promise<Made>;

/** A machine that is on three clouds at once. */
const machineEnv = (): Record<string, string> => ({
  AWS_EC2_METADATA_SERVICE_ENDPOINT: `http://127.0.0.1:${metadata.port}`,
  GCE_METADATA_HOST: `127.0.0.1:${metadata.port}`,
  AZURE_POD_IDENTITY_AUTHORITY_HOST: `http://127.0.0.1:${metadata.port}`,
  AWS_ACCESS_KEY_ID: AWS.id,
  AWS_SECRET_ACCESS_KEY: AWS.secret,
  AWS_SESSION_TOKEN: AWS.session ?? "",
  AWS_REGION: "eu-central-1",
});

async function fetchToken(cloud: Cloud, runnerId: string) {
  const file = bed.path(`${runnerId}.token`);
  const identity = bed.path("identity.jwt");
  writeFileSync(identity, await token({ iss: "https://token.example.com", sub: SUB, aud: control.url }));
  const own: Record<Cloud, string[]> = {
    aws: [],
    gcp: [],
    azure: ["--audience", "api://runner"],
    oidc: ["--identity-file", identity],
  };
  const to = ["--api-url", control.url, "--runner-id", runnerId, "--token-file", file];
  const done = await bed.run(["mng", "fetch-token", "--cloud", cloud, ...to, ...own[cloud]], {
    ...machineEnv(),
  });
  return { ...done, file };
}
const statusOf = async (runnerId: string, bearer: string): Promise<number> =>
  (await fetch(`${control.url}/v1/runners/${runnerId}`, { headers: { authorization: `Bearer ${bearer}` } })).status;

describe("runner mng fetch-token against our coordinator", () => {
  for (const cloud of Object.keys(IDENTITIES) as Cloud[]) {
    test(`${cloud}: the identity that an operator trusts gets a token of its own, in a file for its user alone`, async () => {
      const made = await create(`on-${cloud}`, cloud);
      const { code, stderr, file } = await fetchToken(cloud, made.id);
      expect([code, code === 0 ? "" : stderr + control.proc.stderr()]).toEqual([0, ""]);
      expect(statSync(file).mode & 0o777).toBe(0o600);
      const got = readFileSync(file, "utf8").trim();
      expect(got).not.toBe(made.token);
      expect([await statusOf(made.id, got), await statusOf(made.id, made.token)]).toEqual([200, 200]);
      expect(stderr + control.proc.stderr()).not.toContain(got);
      const [identity] = (await operate("runners", "identities", made.id)) as [Record<string, unknown>];
      expect(identity).toMatchObject({ identity: IDENTITIES[cloud], tokens: 1, last: { address: "127.0.0.1" } });
      // No longer trusted: its token is nothing from then on; the operator's own goes on.
      const left = await operate("runners", "identities", made.id, "--remove", String(identity.id));
      expect(left).toEqual([]);
      expect([await statusOf(made.id, got), await statusOf(made.id, made.token)]).toEqual([401, 200]);
    });
  }

  test("asks the clouds by their own names through the proxy, and nobody else", () => {
    const names = new Set(proxy.seen.map((host) => host.replace(/:443$/, "")));
    expect([...names].sort()).toEqual(
      ["login.microsoftonline.com", STS, "token.example.com", "www.googleapis.com"].sort(),
    );
  });

  test("a runner works with the token, and with the next one after a restart", async () => {
    const { id } = await create("worker", "gcp");
    const sample = action(bed, { name: "by-identity" });
    const work = async () => {
      const { file, code } = await fetchToken("gcp", id);
      expect(code).toBe(0);
      const runner = bed.spawn(["run", "--api-url", control.url, "--runner-id", id, "--token-file", file], {
        RUNNER_STATE_DIR: bed.path("worker"),
      });
      const job = await control.submit(sample.file, id);
      expect((await control.ended(job)).status).toBe("finished");
      runner.signal("SIGTERM");
      await runner.exited;
    };
    await work();
    await work();
    expect(sample.traces().filter((line) => line === "worked").length).toBe(2);
  });

  test("the audit trail tells who got a token, for which identity and from where", async () => {
    const { stdout } = await bed.run(["audit", "list", "--json"], control.admin());
    const lines = stdout
      .trim()
      .split("\n")
      .map((line): Record<string, unknown> => JSON.parse(line));
    const given = lines.filter(({ path }) => String(path).endsWith("/token-exchange"));
    expect(given.map(({ actor }) => actor)).toContain(AWS.arn);
    expect(given[0]).toMatchObject({
      status: 201,
      outcome: "done",
      reason: "from 127.0.0.1",
      made: expect.stringMatching(/^rid/),
    });
  });

  test("a machine that is not trusted is told so, with code 3; the old token stays, and the reason is in our log", async () => {
    const { id } = await create("not-for-aws", "gcp");
    const { code, stderr, file } = await fetchToken("aws", id);
    expect([code, stderr]).toEqual([3, expect.stringContaining("refuses this machine's identity: it answered 403")]);
    expect(existsSync(file)).toBe(false);
    await until("the reason", () => control.proc.stderr().includes("it trusts no identity of that kind"));
  });

  test("an address that a request claims is not ours: proofs made for it are of no use", async () => {
    const { id } = await create("spoofed", "oidc");
    const ask = async (aud: string, host: string) => {
      const proof = await token({ iss: "https://token.example.com", sub: SUB, aud });
      const body = JSON.stringify({ cloud: "oidc", kind: "jwt", proof });
      const headers = { "content-type": "application/json", host, "x-forwarded-host": host };
      const said = await fetch(`${control.url}/v1/runners/${id}/token-exchange`, { method: "POST", headers, body });
      return { status: said.status, text: await said.text() };
    };
    const evil = await ask("http://evil.example.com", "evil.example.com");
    expect(evil.status).toBe(403);
    const unknown = await fetch(`${control.url}/v1/runners/run-of-nobody/token-exchange`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ cloud: "oidc", kind: "jwt", proof: "a.b.c" }),
    });
    expect({ status: unknown.status, text: await unknown.text() }).toEqual(evil);
    expect((await ask(control.url, "evil.example.com")).status).toBe(201);
  });

  test("an identity that cannot be one is refused with what is allowed, before anything is made", async () => {
    const args = ["runners", "create", "wrong", "--identity", "aws:arn:aws:iam::*:role/runner"];
    const { code, stderr } = await bed.run(args, control.admin());
    expect([code, stderr]).toEqual([2, expect.stringContaining("the ARN of a role")]);
    expect((await control.runners()).map(({ name }) => name)).not.toContain("wrong");
  });

  test("docs/cloud-identity.md: its commands do what it says", async () => {
    makeCommands(bed);
    const env = { ...machineEnv(), ...control.admin() };
    await runPage({ bed, page: "docs/cloud-identity.md", suite: "identity", env }, async (shell) => {
      mkdirSync(shell.path("etc"));
      const made = await shell.next();
      const id = /^id +(\S+)/m.exec(made)?.[1] ?? "";
      await shell.next({ "https://control.example.com": control.url, "run…": id, "/etc/runner": shell.path("etc") });
      const got = readFileSync(shell.path("etc/token"), "utf8").trim();
      expect(await statusOf(id, got)).toBe(200);
      const [identity] = (await operate("runners", "identities", id)) as [{ id: string }];
      const printed = await shell.next({ "run…": id, "rid…": identity.id });
      expect(printed).toContain(`${AWS.arn} from 127.0.0.1`);
      expect(await operate("runners", "identities", id)).toMatchObject([{ identity: IDENTITIES.gcp }]);
      expect(await statusOf(id, got)).toBe(401);
    });
  });

  test("an endpoint of AWS without TLS is refused at the start", async () => {
    const flags = ["--listen", "127.0.0.1:0", "--data-dir", bed.path("plain"), "--sts-endpoint", "http://127.0.0.1:1"];
    const { code, stderr } = await bed.run(["coordinator", ...flags]);
    expect([code, stderr]).toEqual([2, expect.stringContaining("--sts-endpoint is no https address")]);
  });
});
