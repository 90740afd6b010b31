import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cloudOf, registryLogin } from "../../internal/kit/cloud/index.ts";
import { RunnerError } from "../../internal/protocol/errors.ts";
import { createSources } from "../../internal/runner/sources.ts";
import { goProgram } from "../bed/go-program.ts";
import { type Moto, motoMissing, startMoto } from "../bed/moto.ts";
import { type Registry, registryMissing, startRegistry } from "../bed/registry.ts";

const KEYS = { access_key_id: "AKIATEST", secret_access_key: "canary-secret/key+1", session_token: "" };
const inCi = process.env.CI === "true";
const refusal = async (work: Promise<unknown>): Promise<RunnerError> => {
  const error = await work.then(
    () => null,
    (found: unknown) => found,
  );
  if (error instanceof RunnerError) return error;
  throw new Error("it was not refused");
};

describe.skipIf(motoMissing() !== null && !inCi)("the login of an ECR registry", () => {
  let moto: Moto;
  let strict: Moto;
  beforeAll(async () => {
    [moto, strict] = await Promise.all([startMoto(), startMoto(true)]);
  }, 60_000);
  afterAll(async () => {
    await Promise.all([moto?.end(), strict?.end()]);
  });
  const place = (url: string) => ({ env: { AWS_ENDPOINT_URL: url }, session: "runner-runtest" });
  const HOST = "123456789012.dkr.ecr.eu-central-1.amazonaws.com";

  test("is made by AWS for the keys of the plan, with the registry's own address", async () => {
    const login = { cloud: "aws", auth: { region: "", static: KEYS } } as const;
    const made = await registryLogin(HOST, login, place(moto.url));
    expect(made).toMatchObject({ username: "AWS", server: "https://123456789012.dkr.ecr.eu-central-1.amazonaws.com" });
    expect(made.password).toEndWith("-auth-token");
  });

  test("is only for the registry that the plan names: another in its place is refused before it is asked", async () => {
    const unused = () => Promise.reject(new Error("unused"));
    const sources = createSources({
      apiUrl: "http://127.0.0.1:1",
      allowFileUrls: false,
      tools: { find: unused, cacheDir: "/nonexistent", providerMirror: null, env: (extra) => ({ ...extra }) },
      limits: { maxBytes: 1e9, maxFiles: 1e4 },
      git: { cacheBytes: 0, ssh: { knownHosts: null, acceptNew: false } },
      cloud: place(moto.url),
    })({ executionId: "runtest", signal: new AbortController().signal, note: () => {}, secret: () => {} });
    for (const LoginServer of ["allowed.example.com", ""]) {
      const block = { RegistryType: "ecr", LoginServer, Repository: "team/app", ECRAuth: { static: KEYS } } as const;
      const error = await refusal(sources.oci({ registry: block, tag: "1" }, "/nonexistent/into"));
      expect(error.message).toContain("the plan's keys are for 123456789012.dkr.ecr.");
    }
  });

  test("is asked of AWS alone, whatever region a plan names", async () => {
    const asked: string[] = [];
    const other = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: ({ url }) => {
        asked.push(url);
        return Response.json({});
      },
    });
    try {
      const auth = { region: `x@127.0.0.1:${other.port}/`, static: KEYS };
      const error = await refusal(registryLogin(HOST, { cloud: "aws", auth }, { env: {}, session: "runner-runtest" }));
      expect([error.kind, error.message]).toEqual(["job", expect.stringContaining("is no region of AWS")]);
      expect(asked).toEqual([]);
    } finally {
      await other.stop(true);
    }
  });

  test("that AWS refuses says so, without the key", async () => {
    const error = await refusal(registryLogin(HOST, { cloud: "aws", auth: { static: KEYS } }, place(strict.url)));
    expect([error.kind, error.message]).toEqual([
      "job",
      expect.stringContaining("ECR of eu-central-1 gives no login:"),
    ]);
    expect(error.message).not.toContain(KEYS.secret_access_key);
    expect(error.remedy).toContain("ecr:GetAuthorizationToken");
  });
});

describe.skipIf((registryMissing() !== null || goProgram("oras") === null) && !inCi)(
  "an artifact of an Azure registry",
  () => {
    const USER = { name: "00000000-0000-0000-0000-000000000000", password: "refresh-token-canary" };
    let registry: Registry;
    let acr: ReturnType<typeof Bun.serve>;
    let folder: string;
    let asked: Record<string, string>[] = [];
    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), "acr-"));
      registry = await startRegistry({ user: USER });
      acr = Bun.serve({
        hostname: "127.0.0.1",
        port: 0,
        // As Azure's: one host that exchanges tokens and is a registry.
        async fetch(request) {
          const { pathname, search } = new URL(request.url);
          const to = `http://${registry.host}${pathname}${search}`;
          if (pathname !== "/oauth2/exchange") return fetch(to, { headers: request.headers, redirect: "manual" });
          const form = Object.fromEntries(new URLSearchParams(await request.text()));
          asked.push(form);
          if (form.access_token !== "entra-token") return new Response("no", { status: 401 });
          return Response.json({ refresh_token: USER.password });
        },
      });
      writeFileSync(join(folder, "main.tf"), 'output "x" {}\n');
      const argv = [goProgram("oras") ?? "oras", "push", "--plain-http", "--username", USER.name, "--password-stdin"];
      const pushed = Bun.spawnSync([...argv, `${registry.host}/team/module:1`, "main.tf"], {
        cwd: folder,
        stdin: Buffer.from(USER.password),
        env: { HOME: folder },
      });
      if (!pushed.success) throw new Error(pushed.stderr.toString());
    }, 60_000);
    afterAll(async () => {
      acr?.stop(true);
      await registry?.end();
      rmSync(folder, { recursive: true, force: true });
    });

    const pull = (token: string, into: string, secrets: string[] = []) => {
      const unused = () => Promise.reject(new Error("unused"));
      const sources = createSources({
        apiUrl: "http://127.0.0.1:1",
        allowFileUrls: false,
        tools: { find: unused, cacheDir: folder, providerMirror: null, env: (extra) => ({ ...extra }) },
        limits: { maxBytes: 1e9, maxFiles: 1e4 },
        git: { cacheBytes: 0, ssh: { knownHosts: null, acceptNew: false } },
        cloud: { env: {}, azure: () => () => Promise.resolve({ value: token, untilMs: null }) },
      });
      const scope = {
        executionId: "runtest",
        signal: new AbortController().signal,
        note: () => {},
        secret: (...values: (string | null | undefined)[]) => void secrets.push(...values.flatMap((one) => one ?? [])),
      };
      asked = [];
      const server = `http://127.0.0.1:${acr.port}`;
      const principal = { subscription_id: "s1", subscription_tenant_id: "tenant-1" };
      const block = { RegistryType: "acr", LoginServer: server, Repository: "team/module" } as const;
      const registryBlock = { ...block, ACRAuth: { service_principal: principal } };
      return sources(scope).oci({ registry: registryBlock, tag: "1" }, join(folder, into));
    };

    test("is pulled with the token that the registry gives for one of Entra ID", async () => {
      const secrets: string[] = [];
      await pull("entra-token", "into", secrets);
      expect(readFileSync(join(folder, "into/main.tf"), "utf8")).toContain("output");
      const service = `127.0.0.1:${acr.port}`;
      expect(asked).toEqual([{ grant_type: "access_token", service, access_token: "entra-token", tenant: "tenant-1" }]);
      expect(secrets).toContain(USER.password);
    });

    test("is refused in one line when the registry does not take the token", async () => {
      const error = await refusal(pull("wrong-token", "none"));
      expect(error.message).toContain("gives no login: it answers 401");
      expect(error.message).not.toContain("wrong-token");
      expect(error.remedy).toContain("AcrPull");
    });
  },
);

test("a plan cannot have the machine's token sent to a registry that is not Azure's", async () => {
  let asked = 0;
  const azure = () => () => {
    asked++;
    return Promise.resolve({ value: "machine-token", untilMs: null });
  };
  const login = { cloud: "azure", auth: { use_default: true } } as const;
  for (const host of [
    "evil.example.com",
    "https://evil.example.com/team.azurecr.io",
    "team.azurecr.io.evil.example.com",
  ]) {
    const error = await refusal(registryLogin(host, login, { env: {}, session: "s", azure }));
    expect(error.message).toContain("is no registry of AWS or Azure");
  }
  expect(asked).toBe(0);
});

test("the cloud of a registry is known by its name, and others have none", async () => {
  expect(cloudOf("123456789012.dkr.ecr.eu-west-1.amazonaws.com")).toEqual({
    cloud: "aws",
    auth: { use_default: true, region: "eu-west-1" },
  });
  expect(cloudOf("team.azurecr.io").cloud).toBe("azure");
  expect(() => cloudOf("ghcr.io")).toThrow("no registry of AWS or Azure");
  expect(() => cloudOf("evil.com/123456789012.dkr.ecr.eu-west-1.amazonaws.com")).toThrow("no registry");
});
