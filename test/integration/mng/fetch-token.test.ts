import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, statSync } from "node:fs";
import { type Bed, makeBed } from "../../faults/lib/processes.ts";

setDefaultTimeout(60_000);

/** Metadata services and a control plane that exchanges proofs, on loopback. */
let bed: Bed;
let server: ReturnType<typeof Bun.serve>;
let cloud: "aws" | "gcp" | "azure" | null = null;
let status = 201;
/** Answers before that one. */
let first: number[] = [];
const seen: { path: string; query: string; headers: Headers; body: string }[] = [];

beforeAll(() => {
  bed = makeBed();
  server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      seen.push({ path: pathname, query: search, headers: request.headers, body: await request.text() });
      if (pathname.endsWith("/token-exchange"))
        return Response.json({ token: "t0ken-of-the-exchange" }, { status: first.shift() ?? status });
      if (cloud === "gcp" && request.headers.get("metadata-flavor") === "Google")
        return new Response(pathname.endsWith("/identity") ? "gcp.jwt.proof\n" : "42");
      if (cloud === "azure" && request.headers.get("metadata") === "true")
        return Response.json(pathname.endsWith("/token") ? { access_token: "azure.jwt.proof" } : {});
      if (cloud === "aws" && pathname === "/latest/api/token") return new Response("imds");
      return new Response("not here", { status: 404 });
    },
  });
});
afterAll(async () => {
  await server.stop(true);
  await bed.end();
});

async function fetchToken(...args: string[]) {
  seen.length = 0;
  const place = `127.0.0.1:${server.port}`;
  const file = bed.path("token");
  const done = await bed.run(
    ["mng", "fetch-token", "--api-url", `http://${place}`, "--runner-id", "run1", "--token-file", file, ...args],
    {
      AWS_EC2_METADATA_SERVICE_ENDPOINT: `http://${place}`,
      GCE_METADATA_HOST: place,
      AZURE_POD_IDENTITY_AUTHORITY_HOST: `http://${place}`,
      AWS_ACCESS_KEY_ID: "AKIDEXAMPLE",
      AWS_SECRET_ACCESS_KEY: "secret-of-the-machine",
      AWS_REGION: "eu-central-1",
    },
  );
  const sent = seen.find(({ path }) => path === "/v1/runners/run1/token-exchange");
  return { ...done, file, sent: sent ? JSON.parse(sent.body) : null };
}

describe("runner mng fetch-token", () => {
  for (const [name, proof] of [
    ["gcp", "gcp.jwt.proof"],
    ["azure", "azure.jwt.proof"],
  ] as const) {
    test(`finds out that it is on ${name}, shows its identity token, and keeps the answer to itself (0600)`, async () => {
      cloud = name;
      const { code, stderr, file, sent } = await fetchToken();
      expect([code, stderr]).toEqual([0, expect.stringContaining(`cloud=${name}`)]);
      expect(sent).toEqual({ cloud: name, kind: "jwt", proof });
      // GCP signs any audience, so it is this runner alone; Azure only what its directory knows.
      const origin = `http://127.0.0.1:${server.port}`;
      const audience = encodeURIComponent(name === "gcp" ? `${origin}/v1/runners/run1` : origin);
      expect(seen.some(({ query }) => `${query}&`.includes(`=${audience}&`))).toBe(true);
      expect(readFileSync(file, "utf8")).toBe("t0ken-of-the-exchange\n");
      expect(statSync(file).mode & 0o777).toBe(0o600);
      expect(stderr).not.toContain("t0ken-of-the-exchange");
    });
  }

  test("on AWS it shows a signed GetCallerIdentity that is good for this control plane and this runner only", async () => {
    cloud = "aws";
    const { code, sent } = await fetchToken();
    expect(code).toBe(0);
    expect(sent).toMatchObject({ cloud: "aws", kind: "aws-sts" });
    const url = new URL(sent.proof);
    expect(url.host).toBe("sts.eu-central-1.amazonaws.com");
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      Action: "GetCallerIdentity",
      "X-Amz-SignedHeaders": "host;x-runner-audience;x-runner-id",
      "X-Amz-Expires": "60",
    });
    expect(sent.proof).not.toContain("secret-of-the-machine");
  });

  for (const [what, given, args, code, text] of [
    ["that has no such exchange", 404, ["--cloud", "gcp"], 3, "gives no tokens for a cloud identity"],
    [
      "that does not trust this machine",
      403,
      ["--cloud", "gcp"],
      3,
      "refuses this machine's identity: it answered 403",
    ],
  ] as const) {
    test(`from a control plane ${what}: said in one sentence, and the old token stays`, async () => {
      cloud = "gcp";
      status = 201;
      await fetchToken();
      status = given;
      const done = await fetchToken(...args);
      status = 201;
      expect([done.code, done.stderr]).toEqual([code, expect.stringContaining(text)]);
      expect(readFileSync(done.file, "utf8")).toBe("t0ken-of-the-exchange\n");
    });
  }

  test("from one that is busy for a moment: it comes again, with a proof of its own each time", async () => {
    cloud = "aws";
    first = [503, 429];
    const { code, stderr } = await fetchToken();
    expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
    const proofs = seen.filter(({ path }) => path.endsWith("/token-exchange")).map(({ body }) => body);
    expect([proofs.length, new Set(proofs).size]).toEqual([3, 3]);
  });

  test("on a machine of no cloud it says so", async () => {
    cloud = null;
    const done = await fetchToken();
    expect([done.code, done.stderr]).toEqual([2, expect.stringContaining("no metadata service of a cloud answers")]);
  });
});
