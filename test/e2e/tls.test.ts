import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { freePort, makeBed, type Proc, until } from "../faults/lib/processes.ts";
import { type ConnectProxy, startConnectProxy } from "../lib/connect-proxy.ts";
import { commandsOf } from "../lib/doc-blocks.ts";
import { makePki, openssl, type Pki } from "../lib/pki.ts";

const bed = makeBed();
const terraform = Bun.which("terraform");
const port = freePort();
const url = `https://127.0.0.1:${port}`;
let pki: Pki;
let other: Pki;
let coordinator: Proc;

const key = () => readFileSync(bed.path("data", "admin.key"), "utf8").trim();
const operator = (ca = pki.ca) => ({
  RUNNER_COORDINATOR_URL: url,
  RUNNER_ADMIN_KEY: key(),
  RUNNER_CA_FILE: ca,
});

afterAll(() => bed.end());

describe.skipIf(openssl === null)("with a certificate of a private authority (needs openssl)", () => {
  beforeAll(async () => {
    pki = makePki(bed.path("pki"));
    other = makePki(bed.path("other"));
    const { cert, key: tlsKey } = pki.issue("coordinator", {
      names: "DNS:localhost,IP:127.0.0.1,DNS:control.example.com",
    });
    const flags = [
      "--listen",
      `127.0.0.1:${port}`,
      "--data-dir",
      bed.path("data"),
      "--tls-cert",
      cert,
      "--tls-key",
      tlsKey,
    ];
    coordinator = bed.spawn(["coordinator", ...flags]);
    const ca = readFileSync(pki.ca, "utf8");
    await until("the coordinator answers over TLS", async () => {
      if (!coordinator.alive()) throw new Error(coordinator.stderr());
      const answer = await fetch(`${url}/readyz`, { tls: { ca } }).catch(() => null);
      return answer?.ok;
    });
  });

  const identity = async (name: string): Promise<Record<string, string>> => {
    const { stdout } = await bed.run(["runners", "create", name, "--json"], operator());
    const { id, token } = JSON.parse(stdout) as { id: string; token: string };
    return { RUNNER_API_URL: url, RUNNER_ID: id, RUNNER_API_TOKEN: token };
  };

  /** Applies a module through the coordinator; the line of `job submit --json`. */
  async function applied(workspace: string, runner: Proc): Promise<unknown> {
    mkdirSync(bed.path("module"), { recursive: true });
    writeFileSync(bed.path("module", "main.tf"), 'output "site" {\n  value = "private"\n}\n');
    const spec = `spec:\n  source: { path: ./module }\n  workspace: ${workspace}\n`;
    writeFileSync(bed.path("deploy.yaml"), `type: terraform-deploy\n${spec}`);
    const done = await bed.run(["job", "submit", "-f", bed.path("deploy.yaml"), "--wait", "--json"], operator());
    expect([done.code, done.code === 0 ? "" : done.stderr + runner.stderr()]).toEqual([0, ""]);
    return JSON.parse(done.stdout);
  }

  test("the page is served over HTTPS", async () => {
    const answer = await fetch(url, { tls: { ca: readFileSync(pki.ca, "utf8") } });
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, expect.stringContaining("text/html")]);
  });

  test("plain HTTP to it gets nothing", async () => {
    const { code, stderr } = await bed.run(["job", "list"], {
      ...operator(),
      RUNNER_COORDINATOR_URL: `http://127.0.0.1:${port}`,
    });
    expect(code).toBe(3);
    expect(stderr).toContain("does not answer");
  });

  test.skipIf(terraform === null)(
    "runner, source, terraform's state and the operator's commands work over it (needs terraform)",
    async () => {
      const flags = ["run", "--state-dir", bed.path("state"), "--ca-file", pki.ca];
      const runner = bed.spawn(flags, await identity("tls"));
      const done = await applied("tls", runner);
      expect(done).toMatchObject({ status: "finished", outputs: { site: "private" } });
      const { stdout } = await bed.run(["workspaces", "list", "--json"], operator());
      expect(JSON.parse(stdout)).toMatchObject([{ lock: null, serial: 1 }]);
      await runner.kill9();
    },
    120_000,
  );

  test("a runner that does not know the authority ends with exit code 3, one sentence and the remedy", async () => {
    const env = await identity("stranger");
    for (const ca of [[], ["--ca-file", other.ca]]) {
      const { code, stderr } = await bed.run(["run", "--state-dir", bed.path("stranger"), ...ca], env);
      expect([code, stderr.trimEnd().split("\n")]).toEqual([
        3,
        [
          `runner: the certificate of the control plane at ${url} is signed by an authority that is not trusted here`,
          "  → Give the certificate of that authority with --ca-file (RUNNER_CA_FILE).",
        ],
      ]);
    }
  });

  test("one that was told its dialect waits instead, and says once why and what to do", async () => {
    const flags = ["run", "--state-dir", bed.path("patient"), "--dialect", "native", "--ca-file", other.ca];
    const runner = bed.spawn(flags, await identity("patient"));
    await until("it says why", () => runner.stderr().includes("Give the certificate of that authority with --ca-file"));
    expect(runner.alive()).toBe(true);
    await runner.kill9();
  });

  test("a key of another certificate is refused before anything is touched, exit code 2", async () => {
    const [one, two] = [pki.issue("one"), pki.issue("two")];
    const flags = ["coordinator", "--data-dir", bed.path("never"), "--listen", "127.0.0.1:0"];
    const { code, stderr } = await bed.run([...flags, "--tls-cert", one.cert, "--tls-key", two.key]);
    expect([code, stderr]).toEqual([2, expect.stringContaining("do not belong together")]);
    const damaged = await bed.run([...flags, "--tls-cert", one.cert, "--tls-key", one.cert]);
    expect([damaged.code, damaged.stderr]).toEqual([2, expect.stringContaining("TLS key")]);
    expect(existsSync(bed.path("never"))).toBe(false);
  });

  test("so does a command of an operator", async () => {
    const { code, stderr } = await bed.run(["job", "list"], operator(other.ca));
    expect([code, stderr.trimEnd().split("\n")]).toEqual([
      3,
      [
        `runner: the certificate of the coordinator at ${url} is signed by an authority that is not trusted here`,
        "  → Give the certificate of that authority with --ca-file (RUNNER_CA_FILE).",
      ],
    ]);
  });

  test("a host name that is not in the certificate is told as such", async () => {
    const env = { ...operator(), RUNNER_COORDINATOR_URL: `https://[::ffff:127.0.0.1]:${port}` };
    const { code, stderr } = await bed.run(["job", "list"], env);
    expect(code).toBe(3);
    expect(stderr).toContain("is for another name");
  });

  test("a CA file that holds no certificate is refused before anything is sent, exit code 2", async () => {
    writeFileSync(bed.path("empty.pem"), "not a certificate\n");
    const { code, stderr } = await bed.run(["job", "list"], operator(bed.path("empty.pem")));
    expect(code).toBe(2);
    expect(stderr).toContain("empty.pem holds no certificate");
  });

  test("a git server of that authority is trusted when SSL_CERT_FILE names it, as the refusal says", async () => {
    const { cert, key: tlsKey } = pki.issue("git");
    const tls = { cert: readFileSync(cert, "utf8"), key: readFileSync(tlsKey, "utf8") };
    const server = Bun.serve({ hostname: "127.0.0.1", port: 0, tls, fetch: () => new Response("", { status: 404 }) });
    const source = `{ git: { url: "https://127.0.0.1:${server.port}/none" } }`;
    writeFileSync(
      bed.path("git.yaml"),
      `type: actions-workflow\nspec: { steps: [{ name: a, source: ${source}, run: "true" }] }\n`,
    );
    const refused = await bed.run(["run-local", "git.yaml"]);
    expect([refused.code, refused.stdout]).toEqual([1, expect.stringContaining("set SSL_CERT_FILE to the CA")]);
    const trusted = await bed.run(["run-local", "git.yaml"], { SSL_CERT_FILE: pki.ca });
    expect([trusted.code, trusted.stdout]).toEqual([1, expect.stringContaining("there is no such repository")]);
    await server.stop(true);
  });

  test("the commands of docs/tls.md make an authority and a certificate for a coordinator", () => {
    const [block = ""] = commandsOf("docs/tls.md", "authority");
    mkdirSync(bed.path("by-hand"));
    const sh = (script: string) => Bun.spawnSync(["sh", "-eu", "-c", script], { cwd: bed.path("by-hand") });
    expect(sh(block).exitCode).toBe(0);
    const seen = sh("openssl verify -CAfile ca.pem -verify_hostname control.example.com cert.pem");
    expect(seen.stdout.toString()).toBe("cert.pem: OK\n");
  });

  describe("behind a proxy", () => {
    let proxy: ConnectProxy;
    const named = "https://control.example.com";
    beforeAll(async () => {
      proxy = await startConnectProxy();
      proxy.name("control.example.com", port);
    });
    afterAll(() => proxy.stop());

    test("HTTPS_PROXY is obeyed by our own requests, and the certificate is checked end to end", async () => {
      const env = { ...operator(), RUNNER_COORDINATOR_URL: named, HTTPS_PROXY: proxy.url };
      const { code, stderr } = await bed.run(["job", "list"], env);
      expect([code, stderr]).toEqual([0, ""]);
      expect(proxy.seen).toContain("control.example.com:443");
      const distrusted = await bed.run(["job", "list"], { ...env, RUNNER_CA_FILE: other.ca });
      expect(distrusted.stderr).toContain("signed by an authority that is not trusted here");
    });

    test("what NO_PROXY names, and this machine itself, are reached without it", async () => {
      const before = proxy.seen.length;
      const env = { ...operator(), HTTPS_PROXY: proxy.url, HTTP_PROXY: proxy.url };
      expect((await bed.run(["job", "list"], env)).code).toBe(0);
      const exempt = { ...env, RUNNER_COORDINATOR_URL: named, NO_PROXY: "other.example.com,control.example.com" };
      // Without the proxy nobody here knows that name.
      expect((await bed.run(["job", "list"], exempt)).code).toBe(3);
      expect(proxy.seen.length).toBe(before);
    });

    test("a local job works under a proxy that leads nowhere, and its steps are handed the variables", async () => {
      const dead = `http://127.0.0.1:${freePort()}`;
      writeFileSync(
        bed.path("ok.yaml"),
        "type: actions-workflow\nspec: { steps: [{ name: a, run: env | grep -i proxy }] }\n",
      );
      const env = { HTTP_PROXY: dead, HTTPS_PROXY: dead, NO_PROXY: "internal.example.com" };
      const { code, stdout } = await bed.run(["run-local", "ok.yaml"], env);
      expect(code).toBe(0);
      expect(stdout).toContain(`HTTPS_PROXY=${dead}`);
      expect(stdout).toContain("NO_PROXY=internal.example.com,localhost,127.0.0.1,::1");
    });

    test.skipIf(terraform === null)(
      "a runner and its terraform reach the coordinator through it (needs terraform)",
      async () => {
        const before = proxy.seen.length;
        const env = { ...(await identity("proxied")), RUNNER_API_URL: named, HTTPS_PROXY: proxy.url };
        const runner = bed.spawn(["run", "--state-dir", bed.path("proxied"), "--ca-file", pki.ca], env);
        const done = await applied("behind", runner);
        expect(done).toMatchObject({ status: "finished", outputs: { site: "private" } });
        // Session, claims and sources of ours, and at least state, lock and unlock of terraform.
        expect(proxy.seen.slice(before).filter((one) => one === "control.example.com:443").length).toBeGreaterThan(3);
        await runner.kill9();
      },
      120_000,
    );
  });
});
