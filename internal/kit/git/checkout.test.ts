import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startGitServer } from "../../../test/lib/git-server.ts";
import { RunnerError } from "../../protocol/errors.ts";
import { type CheckoutOptions, checkout, gitAddress, type Run } from "./index.ts";

let base: string;
let commits: string[];
const at = (...parts: string[]) => join(base, ...parts);
const PATH = process.env.PATH ?? "";

function git(...args: string[]): string {
  const identity = ["-c", "user.name=t", "-c", "user.email=t@example.test", "-c", "commit.gpgsign=false"];
  const done = Bun.spawnSync(["git", "-C", at("repo"), ...identity, ...args], { env: { PATH, HOME: base } });
  if (done.exitCode !== 0) throw new Error(done.stderr.toString());
  return done.stdout.toString().trim();
}

async function commit(text: string): Promise<string> {
  await Bun.write(at("repo/file"), text);
  await Bun.write(at("repo/modules/net/main.tf"), text);
  git("add", "-A");
  git("commit", "-q", "-m", text);
  return git("rev-parse", "HEAD");
}

let template: string;

beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), "git-"));
  template = base;
  await Bun.write(at("repo/.keep"), "");
  git("init", "-q", "-b", "main");
  commits = [await commit("one"), await commit("two")];
  git("tag", "-a", "v1", "-m", "v1", commits[0] ?? "");
  git("checkout", "-q", "-b", "staging");
  commits.push(await commit("three"));
  git("checkout", "-q", "main");
});
afterAll(() => rmSync(template, { recursive: true, force: true }));
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "git-"));
  cpSync(join(template, "repo"), at("repo"), { recursive: true });
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const get = (more: Partial<CheckoutOptions> = {}) =>
  checkout({ url: at("repo"), into: at("into"), env: { PATH, HOME: base }, allow: ["file", "http"], ...more });
const file = () => readFileSync(at("into/file"), "utf8");

async function refusal(work: Promise<unknown>): Promise<RunnerError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof RunnerError) return error;
    throw error;
  }
  throw new Error("it was checked out");
}

describe("a checkout", () => {
  test("takes the default branch, a branch, a tag or a full commit, and returns the commit", async () => {
    for (const [ref, index] of [
      ["", 1],
      ["main", 1],
      ["staging", 2],
      ["v1", 0],
      ["refs/heads/staging", 2],
    ] as const) {
      const done = await get({ ref });
      expect(done?.commit).toBe(commits[index] ?? "");
      expect(file()).toBe(["one", "two", "three"][index] ?? "");
    }
    expect((await get({ ref: commits[0] ?? "" }))?.commit).toBe(commits[0] ?? "");
    expect(file()).toBe("one");
  });

  test("takes HEAD for the default branch, as job files without a ref say it", async () => {
    expect((await get({ ref: "HEAD" }))?.commit).toBe(commits[1] ?? "");
  });

  test("leaves the files and no .git, also over an interrupted run", async () => {
    await Bun.write(at("into/.git/config"), "half written");
    await Bun.write(at("into/file"), "half written");
    await get();
    expect(readdirSync(at("into")).sort()).toEqual([".keep", "file", "modules"]);
    expect(file()).toBe("two");
  });

  test("finds the folder that was asked for", async () => {
    expect((await get({ path: "modules/net" }))?.root).toBe(at("into/modules/net"));
    expect((await get({ path: "" }))?.root).toBe(at("into"));
    expect((await refusal(get({ path: "modules/none" }))).message).toContain("no folder");
    expect((await refusal(get({ path: "../repo" }))).message).toContain("leads out");
    symlinkSync("/etc", at("repo/out"));
    git("add", "-A");
    git("commit", "-q", "-m", "link");
    expect((await refusal(get({ path: "out" }))).message).toContain("leads out");
  });

  test("of nothing is nothing", async () => {
    expect(await get({ url: "" })).toBeNull();
    expect(await get({ url: null })).toBeNull();
    expect(existsSync(at("into"))).toBeFalse();
  });

  test("prefers a branch over a tag of the same name", async () => {
    git("tag", "staging", commits[0] ?? "");
    expect((await get({ ref: "staging" }))?.commit).toBe(commits[2] ?? "");
  });

  test("runs no hook and no filter of the host's configuration", async () => {
    await Bun.write(at("hooks/post-checkout"), `#!/bin/sh\ntouch ${at("ran")}\n`);
    Bun.spawnSync(["chmod", "+x", at("hooks/post-checkout")]);
    await Bun.write(at(".gitconfig"), `[core]\n\thooksPath = ${at("hooks")}\n`);
    await get();
    expect(existsSync(at("ran"))).toBeFalse();
  });
});

describe("a source that cannot be had fails with one line and a remedy", () => {
  test("an unknown ref, and a commit that is cut short", async () => {
    expect((await refusal(get({ ref: "nope" }))).message).toContain(`no branch or tag "nope"`);
    const short = await refusal(get({ ref: (commits[0] ?? "").slice(0, 8) }));
    expect(short.remedy).toContain("all its 40 digits");
    expect((await refusal(get({ ref: `${"0".repeat(39)}1` }))).message).toContain("no commit");
  });

  test("a repository that is not there, and a host that does not answer", async () => {
    const missing = await refusal(get({ url: at("none") }));
    expect(missing.message).toContain("no such repository");
    const closed = await refusal(get({ url: "http://127.0.0.1:1/x.git" }));
    expect(closed.kind).toBe("unreachable");
    for (const error of [missing, closed]) {
      expect(error.message).not.toContain("\n");
      expect(error.remedy).not.toBeEmpty();
    }
  });

  test.each(["--upload-pack=touch x", "-x"])("an address or ref that looks like an option: %s", async (text) => {
    expect((await refusal(get({ url: text }))).message).toContain("refused");
    expect((await refusal(get({ ref: text }))).message).toContain("not valid");
  });

  test.each([
    "ext::sh -c id",
    "git://host/x",
    "ftp://host/x",
    "http://host/x",
    "file:///x",
    "/x",
    "x/y",
    "ssh://-oProxyCommand=id/x",
    "https://a\nb",
    "ssh://u:p@host/x",
    "a@b::c",
    "git@-oProxyCommand=id:x",
    "-oProxyCommand@host:x",
    "git@host:-x",
    "ssh://git@host/-x",
    "ssh://-x@host/y",
    "ssh://git@host/a%0ab",
    "https://host/a\tb",
    "https://u:p%0aq@host/x",
    "https::sh -c id",
    "fd::17",
  ])("an address that is not allowed: %j", async (url) => {
    expect((await refusal(get({ url, allow: [] }))).kind).toBe("job");
  });

  test.each(["a b", "a..b", "a^", "a:b", "*", "a~1", "@{u}", "a\\b", "/a", "a/", "a.lock"])(
    "a ref that is no name: %j",
    async (ref) => {
      expect((await refusal(get({ ref }))).message).toContain("not valid");
    },
  );

  test("git that is not installed", async () => {
    expect((await refusal(get({ git: at("no-git") }))).kind).toBe("environment");
  });
});

describe("stopping", () => {
  const hang = async () => {
    await Bun.write(at("git"), "#!/bin/sh\ncase $1 in init) exit 0;; esac\ntouch started\nsleep 300 & wait\n");
    Bun.spawnSync(["chmod", "+x", at("git")]);
    return at("git");
  };

  test("a cancel ends git and its helpers", async () => {
    const stop = new AbortController();
    const work = refusal(get({ git: await hang(), signal: stop.signal }));
    while (!existsSync(at("into/started"))) await Bun.sleep(5);
    stop.abort();
    expect((await work).kind).toBe("cancelled");
    const left = Bun.spawnSync(["sh", "-c", `grep -lsz "HOME=${base}" /proc/[0-9]*/environ`]);
    expect(left.stdout.toString()).toBe("");
  });

  test("a remote that hangs runs into the time limit", async () => {
    expect((await refusal(get({ git: await hang(), timeoutMs: 50 }))).kind).toBe("timed-out");
  });
});

describe("submodules", () => {
  /** `repo` gets the submodule `lib` of another repository, which has one of its own. */
  async function nest(address: (name: string) => string): Promise<void> {
    for (const [name, inner] of [
      ["deep", null],
      ["lib", "deep"],
      ["repo", "lib"],
    ] as const) {
      const run = (...args: string[]) => {
        const identity = ["-c", "user.name=t", "-c", "user.email=t@example.test", "-c", "protocol.file.allow=always"];
        const done = Bun.spawnSync(["git", "-C", at(name), ...identity, ...args], { env: { PATH, HOME: base } });
        if (done.exitCode !== 0) throw new Error(done.stderr.toString());
      };
      await Bun.write(at(name, `${name}.txt`), name);
      if (name !== "repo") run("init", "-q", "-b", "main");
      run("add", "-A");
      run("commit", "-q", "-m", name);
      if (inner === null) continue;
      run("submodule", "--quiet", "add", at(inner), inner);
      run("config", "-f", ".gitmodules", `submodule.${inner}.url`, address(inner));
      run("commit", "-q", "-am", "submodule");
    }
  }
  const left = () => readdirSync(at("into"), { recursive: true }).map(String);

  test("come along when asked for, theirs too, and leave no .git", async () => {
    await nest((name) => at(name));
    await get({ submodules: true });
    expect(readFileSync(at("into/lib/deep/deep.txt"), "utf8")).toBe("deep");
    expect(left().filter((path) => path.endsWith(".git"))).toEqual([]);
    rmSync(at("into"), { recursive: true });
    await get();
    expect(left()).not.toContain("lib/lib.txt");
  });

  test("with a relative address count from the repository's own", async () => {
    await nest((name) => `../${name}`);
    await get({ submodules: true });
    expect(readFileSync(at("into/lib/lib.txt"), "utf8")).toBe("lib");
  });

  test("of a protocol that is not allowed are refused", async () => {
    await nest(() => "ext::sh -c touch% /tmp/submodule-escaped");
    const error = await refusal(get({ submodules: true }));
    expect(error.message).toContain("the submodule lib");
    expect(error.message).toContain("the protocol ext is not allowed");
    expect(existsSync("/tmp/submodule-escaped")).toBe(false);
  });
});

describe("credentials in an address", () => {
  test("reach the server, and neither argv, disk nor a message", async () => {
    const server = startGitServer({ root: base, login: () => "bot:s3cret/token" });
    const argvs: string[] = [];
    const { runGroup } = await import("../exec/index.ts");
    const real = runGroup(new AbortController().signal);
    const run: Run = async (argv, env, cwd) => {
      argvs.push(argv.join(" "));
      const result = await real(argv, env, cwd);
      const found = Bun.spawnSync(["grep", "-rlE", "s3cret|Basic|Ym90", cwd]).stdout.toString();
      if (found !== "") argvs.push(`s3cret found on disk in ${found}`);
      return result;
    };
    try {
      const url = `http://bot:s3cret%2Ftoken@127.0.0.1:${server.port}/repo.git`;
      for (const ref of ["staging", commits[0] ?? ""]) expect(await get({ url, ref, run })).not.toBeNull();
      expect(file()).toBe("one");
      const basic = `Basic ${btoa("bot:s3cret/token")}`;
      expect(new Set(server.seen.map(({ authorization }) => authorization))).toEqual(new Set([null, basic]));
      expect(argvs.length).toBeGreaterThan(4);
      expect(argvs.join("\n")).not.toMatch(/s3cret|Ym90/);
      const wrong = url.replace("s3cret", "wr0ng");
      const error = await refusal(get({ url: wrong }));
      expect(error.kind).toBe("refused");
      expect(`${error.message} ${error.remedy} ${error.cause ?? ""}`).not.toMatch(/wr0ng|token@|bot:/);
    } finally {
      await server.stop();
    }
  });

  test("are taken out of the address for the host they belong to only", () => {
    const { url, login, secrets } = gitAddress("https://x-access-token:abc@git.example.test/o/r.git");
    expect(url).toBe("https://git.example.test/o/r.git");
    expect(login).toEqual({ origin: "https://git.example.test", username: "x-access-token", password: "abc" });
    expect(secrets).toContain("abc");
    expect(gitAddress("git@git.example.test:o/r.git").url).toBe("git@git.example.test:o/r.git");
    expect(gitAddress("https://tokenonly@git.example.test/o/r.git").secrets).toContain("tokenonly");
  });
});
