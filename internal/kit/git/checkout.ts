import { mkdir, realpath, rm, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import { RunnerError, reasonOf } from "../../protocol/errors.ts";
import { type Run, type RunResult, runGroup } from "../exec/index.ts";
import { checkRef, type ExtraProtocol, type GitAddress, gitAddress } from "./address.ts";
import { explain } from "./explain.ts";

export interface CheckoutOptions {
  /** Empty or null: no source, nothing is done. May hold `user:token@`. */
  readonly url: string | null | undefined;
  /** Branch, tag or full commit; empty: the default branch. */
  readonly ref?: string | null | undefined;
  /** Folder in the repository that must exist; empty: the root. The whole repository is checked out all the same. */
  readonly path?: string | null | undefined;
  /** Submodules too, theirs included; their addresses must be of an allowed protocol as well. Default false. */
  readonly submodules?: boolean;
  /** Where the files go; made when missing. */
  readonly into: string;
  /** Whole environment of git (PATH, HOME, proxy and CA variables). */
  readonly env: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Limit of the whole checkout; default 10 minutes. */
  readonly timeoutMs?: number;
  /** Protocols besides https and ssh. */
  readonly allow?: readonly ExtraProtocol[];
  readonly run?: Run;
  /** Absolute path of the program; default `git` on PATH. */
  readonly git?: string;
}

export interface Checkout {
  /** Full hash of what was checked out. */
  readonly commit: string;
  /** `into` joined with the path that was asked for. */
  readonly root: string;
}

const FULL_COMMIT = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

/**
 * Fetches one commit of a repository, without history and without its `.git`. A name is looked up as branch, then as
 * tag; nothing is guessed. Credentials reach git by environment only. May be repeated over an interrupted checkout.
 * null: there is no source. Throws RunnerError: job, environment, unreachable, refused, cancelled, timed-out.
 */
export async function checkout(options: CheckoutOptions): Promise<Checkout | null> {
  if (!options.url) return null;
  const address = gitAddress(options.url, options.allow);
  const ref = options.ref ?? "";
  checkRef(ref);
  const timeout = AbortSignal.timeout(options.timeoutMs ?? 600_000);
  const stop = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout;
  const git = runner(options, address, options.run ?? runGroup(stop), stop);
  const { into } = options;
  try {
    await mkdir(into, { recursive: true, mode: 0o700 });
    await rm(join(into, ".git"), { recursive: true, force: true });
    await git(["init", "--quiet", "--template="]);
    const wanted = await resolveRef(ref, address, git);
    await fetchOne(wanted, address, git);
    const commit = (await git(["rev-parse", "--verify", "FETCH_HEAD^{commit}"])).stdout.trim();
    await git(["checkout", "--quiet", "--force", "--detach", commit]);
    if (options.submodules) await updateSubmodules(address, git, into);
    return { commit, root: await innerFolder(into, options.path ?? "") };
  } catch (cause) {
    if (cause instanceof RunnerError) throw cause;
    throw new RunnerError("environment", `git could not be run: ${reasonOf(cause)}`, {
      remedy: "install git, and check free disk space",
      cause,
    });
  } finally {
    await rm(join(into, ".git"), { recursive: true, force: true });
  }
}

type Git = (args: readonly string[], mayFail?: boolean) => Promise<RunResult>;

/** What to ask the remote for. A full commit is taken as it is; a name must be there. */
async function resolveRef(name: string, address: GitAddress, git: Git): Promise<string> {
  if (name === "" || name === "HEAD") return "HEAD";
  if (FULL_COMMIT.test(name) || name.startsWith("refs/")) return name;
  const full = [`refs/heads/${name}`, `refs/tags/${name}`];
  const listed = (await git(["ls-remote", "--quiet", address.url, ...full])).stdout;
  const there = new Set(listed.split("\n").map((line) => line.split("\t")[1]));
  const found = full.find((candidate) => there.has(candidate));
  if (found) return found;
  const short = /^[0-9a-f]{4,63}$/.test(name);
  throw new RunnerError("job", `${address.url} has no branch or tag ${JSON.stringify(name)}`, {
    remedy: short ? "a commit must be given with all its 40 digits" : "check the ref, or name a full commit",
  });
}

/** Servers may refuse a commit that no ref names; then everything is fetched and the commit looked for in it. */
async function fetchOne(wanted: string, address: GitAddress, git: Git): Promise<void> {
  const base = ["fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--update-head-ok"];
  const commit = FULL_COMMIT.test(wanted);
  const first = await git([...base, "--depth=1", address.url, wanted], commit);
  if (first.code === 0) return;
  await git([...base, address.url, "+refs/heads/*:refs/remotes/all/*", "+refs/tags/*:refs/tags/*"]);
  const known = await git(["cat-file", "-e", `${wanted}^{commit}`], true);
  if (known.code !== 0) {
    throw new RunnerError("job", `${address.url} has no commit ${wanted}`, { remedy: "check the ref" });
  }
  await git(["fetch", "--quiet", ".", wanted]);
}

/**
 * The commits the repository names for its submodules, without history where the server allows it. Relative addresses
 * count from the repository's own; a login goes to the same server only.
 */
async function updateSubmodules(address: GitAddress, git: Git, into: string): Promise<void> {
  if (!(await Bun.file(join(into, ".gitmodules")).exists())) return;
  await git(["config", "remote.origin.url", address.url]);
  const update = ["submodule", "--quiet", "update", "--init", "--recursive", "--force"];
  const shallow = await git([...update, "--depth=1"], true);
  if (shallow.code !== 0) await git(update);
  // Each submodule has a file that points into the .git that is removed at the end.
  const { stdout } = await git(["submodule", "--quiet", "foreach", "--recursive", "pwd"]);
  const top = await realpath(into);
  const folders = stdout.split("\n").filter((folder) => folder.startsWith(top + sep));
  await Promise.all(folders.map((folder) => rm(join(folder, ".git"), { recursive: true, force: true })));
}

function runner(options: CheckoutOptions, address: GitAddress, run: Run, stop: AbortSignal): Git {
  const env = { ...options.env, ...QUIET, ...configEnv(address), GIT_ALLOW_PROTOCOL: protocols(options.allow) };
  return async (args, mayFail = false) => {
    const result = await run([options.git ?? "git", ...args], env, options.into);
    if (stop.aborted) {
      const cancelled = options.signal?.aborted ?? false;
      throw new RunnerError(
        cancelled ? "cancelled" : "timed-out",
        cancelled ? "the git checkout was stopped" : `git did not finish ${address.url} in time`,
      );
    }
    if (result.code !== 0 && !mayFail) throw explain(args[0] ?? "", result.stderr, address);
    return result;
  };
}

/** Nothing may ask a person, and nothing of the host's own set-up may run. */
const QUIET = {
  GIT_TERMINAL_PROMPT: "0",
  GIT_ASKPASS: "",
  SSH_ASKPASS: "",
  GIT_SSH_COMMAND: "ssh -o BatchMode=yes -o ConnectTimeout=20",
  GIT_LFS_SKIP_SMUDGE: "1",
  LC_ALL: "C",
};

function configEnv(address: GitAddress): Record<string, string> {
  const config = {
    "credential.helper": "",
    "core.askPass": "",
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "init.defaultBranch": "none",
    "advice.detachedHead": "false",
    "gc.auto": "0",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "60",
    ...address.config,
  };
  const entries = Object.entries(config);
  const pairs = entries.flatMap(([key, value], index) => [
    [`GIT_CONFIG_KEY_${index}`, key],
    [`GIT_CONFIG_VALUE_${index}`, value],
  ]);
  return { GIT_CONFIG_COUNT: String(entries.length), ...Object.fromEntries(pairs) };
}

function protocols(allow: readonly ExtraProtocol[] = []): string {
  return ["https", "ssh", ...allow].join(":");
}

async function innerFolder(into: string, path: string): Promise<string> {
  const root = join(into, path);
  const [top, real] = await Promise.all([realpath(into), realpath(root).catch(() => null)]);
  if (real !== null && real !== top && !real.startsWith(top + sep)) {
    throw new RunnerError("job", `the path ${JSON.stringify(path)} leads out of the repository`);
  }
  if (real === null || !(await stat(real)).isDirectory()) {
    throw new RunnerError("job", `the repository has no folder ${JSON.stringify(path)}`, {
      remedy: "check `path` of the git source",
    });
  }
  return root;
}
