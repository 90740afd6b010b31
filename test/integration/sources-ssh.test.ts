import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkout, type SshOptions } from "../../internal/kit/git/index.ts";
import { RunnerError } from "../../internal/protocol/errors.ts";
import { hasSshServer, startSshServer } from "../lib/ssh-server.ts";

const inCi = process.env.CI === "true";

describe.skipIf(!hasSshServer && !inCi)("a git source over ssh (a real OpenSSH server)", () => {
  const base = mkdtempSync(join(tmpdir(), "sources-ssh-"));
  const at = (...parts: string[]) => join(base, ...parts);
  const PATH = process.env.PATH ?? "";
  const known = at("my known hosts 100%");
  let server: Awaited<ReturnType<typeof startSshServer>>;

  beforeAll(async () => {
    for (const args of [
      ["init", "-q", "-b", "main", at("repo")],
      [
        "-C",
        at("repo"),
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@example.test",
        "commit",
        "-q",
        "--allow-empty",
        "-m",
        "x",
      ],
    ]) {
      const done = Bun.spawnSync(["git", ...args], { env: { PATH, HOME: base } });
      if (!done.success) throw new Error(done.stderr.toString());
    }
    server = await startSshServer(at("ssh"));
  });
  afterAll(async () => {
    await server.stop();
    rmSync(base, { recursive: true, force: true });
  });
  beforeEach(() => rmSync(known, { force: true }));

  const get = (ssh: Partial<SshOptions> = {}, env: Record<string, string> = server.env) =>
    checkout({
      url: `${server.url}${at("repo")}`,
      into: at("into"),
      env: { PATH, HOME: base, ...env },
      ssh: { knownHosts: known, acceptNew: false, ...ssh },
      cache: { dir: at("cache"), maxBytes: 1e9 },
    });
  async function refusal(work: Promise<unknown>): Promise<RunnerError> {
    try {
      await work;
    } catch (error) {
      if (error instanceof RunnerError) return error;
      throw error;
    }
    throw new Error("it was checked out");
  }

  test("is taken from a host whose key is known", async () => {
    writeFileSync(known, server.hostLine());
    expect((await get())?.commit).toMatch(/^[0-9a-f]{40}$/);
  }, 20_000);

  test("is taken from a host whose key the job itself names, beside those of the operator", async () => {
    writeFileSync(known, "");
    const also = at("of the job");
    writeFileSync(also, server.hostLine());
    expect(await get({ alsoKnown: also })).not.toBeNull();
    expect(await get({ alsoKnown: also, knownHosts: null })).not.toBeNull();
    writeFileSync(also, "");
    expect((await refusal(get({ alsoKnown: also }))).message).toContain("its host key is not known here");
  }, 20_000);

  test("is refused from a host whose key is not known, with the command that makes it known", async () => {
    writeFileSync(known, "");
    const { kind, message, remedy } = await refusal(get());
    expect(kind).toBe("refused");
    expect(message).toContain("its host key is not known here");
    const port = URL.parse(server.url)?.port;
    expect(remedy).toEndWith(`ssh-keyscan -p ${port} 127.0.0.1 >> ${JSON.stringify(known)}`);
    expect(readFileSync(known, "utf8")).toBe("");
    // The command does what is promised.
    const scanned = Bun.spawnSync(["ssh-keyscan", "-p", port ?? "", "127.0.0.1"]);
    writeFileSync(known, scanned.stdout);
    expect(await get()).not.toBeNull();
  }, 20_000);

  test("is taken from a new host, whose key is then remembered, only where that was asked for", async () => {
    expect(await get({ acceptNew: true })).not.toBeNull();
    expect(readFileSync(known, "utf8")).toContain(server.hostLine().split(" ")[2]?.trim() ?? "?");
    expect(await get()).not.toBeNull();
  }, 20_000);

  test("is refused when the key of the host has changed, however new keys are treated", async () => {
    writeFileSync(known, server.hostLine());
    await server.changeHostKey();
    for (const acceptNew of [false, true]) {
      const { kind, message } = await refusal(get({ acceptNew }));
      expect([kind, message]).toEqual(["refused", expect.stringContaining("its host key is another one")]);
    }
  }, 20_000);

  test("is refused without a key that the host lets in", async () => {
    writeFileSync(known, server.hostLine());
    const { kind, message } = await refusal(get({}, {}));
    expect([kind, message]).toEqual(["refused", expect.stringContaining("it asks for credentials")]);
    expect(existsSync(at("into.git"))).toBe(false);
  }, 20_000);
});
