import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startGitServer } from "../../../test/lib/git-server.ts";
import { RunnerError } from "../../protocol/errors.ts";
import { type CheckoutOptions, checkout } from "./index.ts";

let base: string;
let server: ReturnType<typeof startGitServer>;
let login: string | null;
let runs = 0;
const PATH = process.env.PATH ?? "";
const at = (...parts: string[]) => join(base, ...parts);

function git(name: string, ...args: string[]): string {
  const identity = ["-c", "user.name=t", "-c", "user.email=t@example.test"];
  const done = Bun.spawnSync(["git", "-C", at(name), ...identity, ...args], { env: { PATH, HOME: base } });
  if (done.exitCode !== 0) throw new Error(done.stderr.toString());
  return done.stdout.toString().trim();
}

function commit(name: string, files: Record<string, string>): string {
  if (!existsSync(at(name))) {
    mkdirSync(at(name));
    git(name, "init", "-q", "-b", "main");
  }
  for (const [path, text] of Object.entries(files)) writeFileSync(at(name, path), text);
  git(name, "add", "-A");
  git(name, "commit", "-q", "--allow-empty", "-m", "x");
  return git(name, "rev-parse", "HEAD");
}

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "git-cache-"));
  login = null;
  server = startGitServer({ root: base, login: () => login });
});
afterEach(async () => {
  await server.stop();
  rmSync(base, { recursive: true, force: true });
});

const get = async (name: string, more: Partial<CheckoutOptions> = {}) => {
  const into = at(`into-${++runs}`);
  const cache = { dir: at("cache"), maxBytes: 1e9 };
  const url = `${server.url}/${name}.git`;
  await checkout({ url, into, env: { PATH, HOME: base }, allow: ["http"], cache, ...more });
  return { into, text: existsSync(join(into, "file")) ? readFileSync(join(into, "file"), "utf8") : null };
};
const fetches = () => server.seen.filter((request) => request.fetches).length;
const mirrors = () => readdirSync(at("cache")).filter((name) => name.endsWith(".git"));
const addresses = () => mirrors().map((name) => readFileSync(at("cache", name, "description"), "utf8").trim());

async function refusal(work: Promise<unknown>): Promise<RunnerError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof RunnerError) return error;
    throw error;
  }
  throw new Error("it was checked out");
}

describe("the cache of repositories", () => {
  test("serves a commit it has without fetching, and fetches only what is new", async () => {
    const first = commit("repo", { file: "one" });
    for (const ref of ["main", "", first]) expect((await get("repo", { ref })).text).toBe("one");
    expect(fetches()).toBe(1);
    commit("repo", { file: "two" });
    expect((await get("repo")).text).toBe("two");
    expect((await get("repo", { ref: first })).text).toBe("one");
    expect(fetches()).toBe(2);
    expect(addresses()).toEqual([`${server.url}/repo.git`]);
  });

  test("is filled once by many jobs at once", async () => {
    commit("repo", { file: "one" });
    const all = await Promise.all(Array.from({ length: 6 }, () => get("repo")));
    expect(all.map(({ text }) => text)).toEqual(Array(6).fill("one"));
    expect(fetches()).toBe(1);
    expect(readdirSync(at("cache"))).toEqual(mirrors());
  });

  test("gives nothing to a job whose own login the remote refuses, a commit that it has included", async () => {
    const known = commit("repo", { file: "private" });
    login = "bot:right";
    const url = (password: string) => `http://bot:${password}@127.0.0.1:${server.port}/repo.git`;
    await get("repo", { url: url("right") });
    for (const ref of [known, "main"]) {
      expect((await refusal(get("repo", { url: url("wrong"), ref }))).kind).toBe("refused");
      expect((await refusal(get("repo", { ref }))).kind).toBe("refused");
    }
    // A new token of the same user finds what the old one fetched.
    login = "bot:renewed";
    const before = fetches();
    expect((await get("repo", { url: url("renewed") })).text).toBe("private");
    expect(fetches()).toBe(before);
  });

  test("holds no password, not even encoded", async () => {
    commit("repo", { file: "one" });
    login = "bot:s3cret";
    await get("repo", { url: `http://bot:s3cret@127.0.0.1:${server.port}/repo.git` });
    const found = Bun.spawnSync(["grep", "-rlE", `s3cret|${btoa("bot:s3cret").replace(/=+$/, "")}`, at("cache")]);
    expect(found.stdout.toString()).toBe("");
  });

  test("is rebuilt where it is damaged, whatever is broken", async () => {
    commit("repo", { file: "one" });
    const damage: ((mirror: string) => void)[] = [
      (mirror) => rmSync(join(mirror, "HEAD")),
      (mirror) => writeFileSync(join(mirror, "config"), "[half"),
      (mirror) => {
        for (const name of readdirSync(join(mirror, "objects/pack"))) {
          rmSync(join(mirror, "objects/pack", name));
          if (name.endsWith(".pack")) writeFileSync(join(mirror, "objects/pack", name), "PACK");
        }
      },
      (mirror) => rmSync(join(mirror, "objects"), { recursive: true }),
      (mirror) => {
        commit("repo", { file: "one", more: String(Math.random()) });
        writeFileSync(join(mirror, "shallow.lock"), ""); // left by a git that was killed
      },
    ];
    for (const break_ of damage) {
      await get("repo");
      break_(at("cache", mirrors()[0] ?? ""));
      expect((await get("repo")).text).toBe("one");
      const before = fetches();
      await get("repo");
      expect(fetches()).toBe(before);
    }
  });

  test("is kept when a job asks for what is not there", async () => {
    commit("repo", { file: "one" });
    await get("repo");
    expect((await refusal(get("repo", { ref: "nope" }))).message).toContain('no branch or tag "nope"');
    expect((await refusal(get("repo", { ref: "1".repeat(40) }))).message).toContain("no commit");
    const before = fetches();
    await get("repo");
    expect(fetches()).toBe(before);
  });

  test("forgets what was used longest ago when it is full, and what a killed runner left half-made", async () => {
    for (const name of ["old", "mid", "new"]) {
      const noise = Buffer.from(crypto.getRandomValues(new Uint8Array(40_000))).toString("base64");
      commit(name, { file: name, noise });
      await get(name);
    }
    const age = (name: string, seconds: number) => {
      const mirror = mirrors().find((one) => readFileSync(at("cache", one, "description"), "utf8").includes(name));
      utimesSync(at("cache", mirror ?? "", "description"), seconds, seconds);
    };
    age("/old.git", 3_000);
    age("/mid.git", 1_000);
    mkdirSync(at("cache", `${"a".repeat(32)}.git.new.1.x`));
    commit("new", { file: "newer" });
    await get("new", { cache: { dir: at("cache"), maxBytes: 150_000 } });
    expect(addresses().sort()).toEqual([`${server.url}/new.git`, `${server.url}/old.git`]);
    expect(readdirSync(at("cache"))).toEqual(mirrors());
    expect((await get("mid")).text).toBe("mid");
  });

  test("of no size keeps nothing, and nothing lies beside the source afterwards", async () => {
    commit("repo", { file: "one" });
    const { into } = await get("repo", { cache: { dir: at("cache"), maxBytes: 0 } });
    expect(existsSync(at("cache"))).toBe(false);
    expect(
      readdirSync(base)
        .filter((name) => name.startsWith("into"))
        .map((name) => at(name)),
    ).toEqual([into]);
  });
});

describe("a login", () => {
  test("never follows a redirect to another server", async () => {
    commit("repo", { file: "one" });
    const elsewhere = startGitServer({ root: base, login: () => "bot:s3cret" });
    await server.stop();
    server = startGitServer({
      root: base,
      before: (request) => {
        const { pathname, search } = new URL(request.url);
        return new Response(null, { status: 302, headers: { location: `${elsewhere.url}${pathname}${search}` } });
      },
    });
    try {
      const error = await refusal(get("repo", { url: `http://bot:s3cret@127.0.0.1:${server.port}/repo.git` }));
      expect(error.kind).toBe("refused");
      expect(elsewhere.seen.length).toBeGreaterThan(0);
      expect(elsewhere.seen.every(({ authorization }) => authorization === null)).toBe(true);
    } finally {
      await elsewhere.stop();
    }
  });

  test("reaches a repository that was renamed on the same server", async () => {
    commit("repo", { file: "one" });
    await server.stop();
    server = startGitServer({
      root: base,
      login: () => "bot:s3cret",
      before: (request) => {
        const { pathname, search } = new URL(request.url);
        if (!pathname.startsWith("/former.git/")) return null;
        const location = `${pathname.replace("former", "repo")}${search}`;
        return new Response(null, { status: 301, headers: { location } });
      },
    });
    const url = `http://bot:s3cret@127.0.0.1:${server.port}/former.git`;
    expect((await get("repo", { url })).text).toBe("one");
  });
});

describe("a hostile repository", () => {
  test.each([["/etc/passwd"], ["../../outside"], ["../inner/../../outside"], ["up/x"]])(
    "with a link to %s is refused by name",
    async (target) => {
      commit("repo", { file: "one" });
      mkdirSync(at("repo/inner"));
      writeFileSync(at("repo/inner/x"), "x");
      if (target === "up/x") symlinkSync("..", at("repo/up"));
      symlinkSync(target, at("repo/inner/link"));
      if (target === "up/x") symlinkSync("../up/../outside", at("repo/inner/second"));
      commit("repo", {});
      const { message, kind } = await refusal(get("repo"));
      expect([kind, message]).toEqual(["job", expect.stringMatching(/^the link \S+ leads out of the repository/)]);
    },
  );

  test("with links inside itself, dangling ones too, is taken", async () => {
    commit("repo", { file: "one" });
    symlinkSync("file", at("repo/link"));
    symlinkSync("not-there-yet", at("repo/dangling"));
    commit("repo", {});
    const { into } = await get("repo");
    expect(readFileSync(join(into, "link"), "utf8")).toBe("one");
  });

  /** A commit with exactly these entries in its tree, such as git itself would never make. */
  function craft(entries: string): void {
    commit("repo", { file: "one" });
    const made = Bun.spawnSync(["git", "-C", at("repo"), "mktree", "--missing"], { stdin: Buffer.from(entries) });
    const identity = ["-c", "user.name=t", "-c", "user.email=t@example.test"];
    const tree = made.stdout.toString().trim();
    if (tree === "") throw new Error(made.stderr.toString());
    const done = Bun.spawnSync(["git", "-C", at("repo"), ...identity, "commit-tree", tree, "-m", "x"]);
    git("repo", "update-ref", "refs/heads/main", done.stdout.toString().trim());
  }
  const blob = (text: string) => {
    const done = Bun.spawnSync(["git", "-C", at("repo"), "hash-object", "-w", "--stdin"], { stdin: Buffer.from(text) });
    return done.stdout.toString().trim();
  };
  const tree = (entries: string) =>
    Bun.spawnSync(["git", "-C", at("repo"), "mktree", "--missing"], { stdin: Buffer.from(entries) })
      .stdout.toString()
      .trim();

  test.each([".git", ".GIT", "git~1", ".."])("with a folder named %s writes nothing of it", async (name) => {
    commit("repo", { file: "one" });
    const inner = tree(`100755 blob ${blob("#!/bin/sh\n")}\tpost-checkout\n`);
    craft(`040000 tree ${inner}\t${name}\n`);
    const error = await refusal(get("repo"));
    expect(error.kind).toBe("job");
    expect(existsSync(at(`into-${runs}`, name, "post-checkout"))).toBe(false);
  });

  test("with a name that is a link and a folder writes nothing through the link", async () => {
    mkdirSync(at("outside"));
    commit("repo", { file: "one" });
    const inner = tree(`100644 blob ${blob("evil")}\tevil\n`);
    craft(`120000 blob ${blob(at("outside"))}\ta\n040000 tree ${inner}\ta\n`);
    await get("repo").catch(() => null); // git makes one of the two of it
    expect(readdirSync(at("outside"))).toEqual([]);
  });

  test("that is larger than allowed is refused at the file that passes the limit, also from the cache", async () => {
    const [maxBytes, maxFiles] = [1_000, 1_000];
    commit("repo", { big: "x".repeat(1_001) });
    for (let i = 0; i < 2; i++) {
      const { kind, message } = await refusal(get("repo", { limits: { maxBytes, maxFiles } }));
      expect([kind, message]).toEqual(["job", expect.stringContaining('with "big" it has more than 1000 bytes')]);
    }
    expect((await get("repo", { limits: { maxBytes: 10_000, maxFiles } })).text).toBeNull();
  });

  test("of a few trees that unfold to a hundred million files is refused before it is written", async () => {
    commit("repo", { file: "one" });
    const names = Array.from({ length: 10 }, (_, n) => String(n));
    let inner = `100644 blob ${blob("")}`;
    for (let depth = 0; depth < 8; depth++) {
      inner = `040000 tree ${tree(names.map((name) => `${inner}\t${name}\n`).join(""))}`;
    }
    craft(`${inner}\tbomb\n`);
    const { message } = await refusal(get("repo", { limits: { maxBytes: 1e9, maxFiles: 5_000 } }));
    expect(message).toContain("it has more than 5000 files");
    expect(existsSync(at(`into-${runs}`, "bomb"))).toBe(false);
  }, 20_000);

  const withModule = (path: string, url: string) => {
    const pinned = commit("lib", { lib: "lib" });
    commit("repo", { ".gitmodules": `[submodule "x"]\n\tpath = ${path}\n\turl = ${url}\n` });
    git("repo", "update-index", "--add", "--cacheinfo", `160000,${pinned},sub`);
    git("repo", "commit", "-q", "-m", "sub");
  };

  test.each([
    ["ext::sh -c touch% escaped", "the protocol ext is not allowed"],
    ["--upload-pack=touch escaped", "not an address"],
    ["-u./escaped", "not an address"],
    ["file:///etc", "the protocol file is not allowed"],
    ["ssh://-oProxyCommand=touch/x", "the git address is refused"],
    ["/etc", "neither https"],
    ["../../../../etc", "leads above its server"],
  ])("with a submodule at %s is refused", async (url, reason) => {
    withModule("sub", JSON.stringify(url));
    const { message } = await refusal(get("repo", { submodules: true }));
    expect(message).toContain(reason);
    expect(existsSync("escaped")).toBe(false);
  });

  test.each(["../escaped", "/tmp/escaped", ".git/modules/x", "a/../../escaped", "--help"])(
    "with a submodule that belongs into %s is refused",
    async (path) => {
      withModule(path, "../lib.git");
      const { message } = await refusal(get("repo", { submodules: true }));
      expect(message).toContain("is not a plain path inside the repository");
    },
  );

  test("with a .gitmodules that is a link is refused", async () => {
    commit("repo", { file: "one" });
    craft(`120000 blob ${blob("/etc/passwd")}\t.gitmodules\n`);
    expect((await refusal(get("repo", { submodules: true }))).message).toContain(".gitmodules");
  });

  test("with a relative submodule gets it from the same server, with the same login, through the cache", async () => {
    withModule("sub", "../lib.git");
    login = "bot:s3cret";
    const url = `http://bot:s3cret@127.0.0.1:${server.port}/repo.git`;
    for (let i = 0; i < 2; i++) {
      const { into } = await get("repo", { url, submodules: true });
      expect(readdirSync(join(into, "sub"))).toEqual(["lib"]);
    }
    expect([fetches(), mirrors().length]).toEqual([2, 2]);
  });
});
