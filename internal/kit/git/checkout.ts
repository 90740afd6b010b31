import { mkdir, realpath, rm, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import { RunnerError, reasonOf } from "../../protocol/errors.ts";
import { failpoint } from "../base/failpoint.ts";
import { type Run, runGroup } from "../exec/index.ts";
import { checkRef, type ExtraProtocol, type GitAddress, gitAddress } from "./address.ts";
import { type GitProcess, gitFor, stopped } from "./command.ts";
import { explain } from "./explain.ts";
import { checkLinks } from "./links.ts";
import { type GitCache, type MirrorPlace, mirrorName, openMirror } from "./mirror.ts";
import { resolveRef } from "./resolve-ref.ts";
import { makeRoom } from "./room.ts";
import { checkSize, type TreeLimits } from "./size.ts";
import { type SshOptions, STRICT_SSH } from "./ssh-command.ts";
import { submoduleFolder, submodulesOf } from "./submodules.ts";

export interface CheckoutOptions {
  /** Empty or null: no source, nothing is done. May hold `user:token@`. */
  readonly url: string | null | undefined;
  /** Branch, tag or full commit; empty: the default branch. */
  readonly ref?: string | null | undefined;
  /** Folder in the repository that must exist; empty: the root. The whole repository is checked out all the same. */
  readonly path?: string | null | undefined;
  /** Submodules too, theirs included; their addresses must be of an allowed protocol as well. Default false. */
  readonly submodules?: boolean;
  /** Where the files go; made when missing. Temporary files lie beside it. */
  readonly into: string;
  /** Whole environment of git (PATH, HOME, proxy and CA variables). */
  readonly env: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Limit of the whole checkout; default 10 minutes. */
  readonly timeoutMs?: number;
  /** Protocols besides https and ssh. */
  readonly allow?: readonly ExtraProtocol[];
  /** Shared by the jobs of this machine; left out: nothing is kept. */
  readonly cache?: GitCache;
  /** Of each repository, submodules by themselves; left out: none. */
  readonly limits?: TreeLimits;
  /** Default: only hosts whose key is known. */
  readonly ssh?: SshOptions;
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

/** Submodules of submodules, at most so deep. */
const DEEPEST = 10;

/**
 * Writes the files of one commit, without history and without a `.git`. A name is looked up as branch, then as tag;
 * nothing is guessed. Credentials reach git by environment only. What was fetched once is taken from the cache, after
 * the remote has answered with the job's own login. May be repeated over an interrupted checkout.
 * null: there is no source. Throws RunnerError: job, environment, unreachable, refused, cancelled, timed-out.
 */
export async function checkout(options: CheckoutOptions): Promise<Checkout | null> {
  if (!options.url) return null;
  const address = gitAddress(options.url, options.allow);
  const ref = options.ref ?? "";
  checkRef(ref);
  const limitMs = options.timeoutMs ?? 600_000;
  const timeout = AbortSignal.timeout(limitMs);
  const stop = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout;
  const { into, cache, limits = null } = options;
  const process: GitProcess = {
    env: options.env,
    allow: options.allow ?? [],
    ssh: options.ssh ?? STRICT_SSH,
    program: options.git ?? "git",
    run: options.run ?? runGroup(stop),
    cwd: into,
    cancelled: () => options.signal?.aborted ?? false,
    stop,
  };
  try {
    await mkdir(into, { recursive: true, mode: 0o700 });
    await rm(join(into, ".git"), { recursive: true, force: true });
    const work: Work = { process, cache: cache && cache.maxBytes > 0 ? cache : null, limitMs, limits, scratch: into };
    const commit = await place(work, { address, ref, into, submodules: options.submodules ?? false, depth: 0 });
    await checkLinks(into);
    return { commit, root: await innerFolder(into, options.path ?? "") };
  } catch (cause) {
    if (stop.aborted) throw stopped(address, process.cancelled());
    if (cause instanceof RunnerError) throw cause;
    throw new RunnerError("environment", `git could not be run: ${reasonOf(cause)}`, {
      remedy: "install git, and check free disk space",
      cause,
    });
  } finally {
    for (const rest of [".git", ".index", ".index.lock"]) {
      await rm(`${into}${rest}`, { recursive: true, force: true });
    }
  }
}

interface Work {
  readonly process: GitProcess;
  readonly cache: GitCache | null;
  readonly limitMs: number;
  readonly limits: TreeLimits | null;
  /** Beginning of the paths of temporary files. */
  readonly scratch: string;
}

interface Order {
  readonly address: GitAddress;
  readonly ref: string;
  readonly into: string;
  readonly submodules: boolean;
  readonly depth: number;
}

async function place(work: Work, order: Order): Promise<string> {
  const { address, into, depth } = order;
  const git = gitFor(address, work.process);
  const wanted = await resolveRef(order.ref, address, git);
  const at = mirrorPlace(work, address);
  const mirror = openMirror(at, address, git);
  const index = `${work.scratch}.index`;
  const write = async (commit: string) => {
    // Each time: a commit that was refused may lie in the cache all the same.
    if (work.limits) await checkSize({ gitDir: mirror.dir, commit, address }, work.limits, work.process);
    await rm(index, { force: true });
    const call = { gitDir: mirror.dir, workTree: into, index, mayFail: true };
    return await git(["read-tree", "--reset", "-u", "--no-recurse-submodules", commit], call);
  };
  let { commit } = wanted;
  if ((await write(commit)).code !== 0) {
    failpoint("git.fetch");
    commit = await mirror.obtain(wanted);
    failpoint("git.checkout");
    if ((await write(commit)).code !== 0) {
      commit = await mirror.rebuild(wanted);
      const last = await write(commit);
      if (last.code !== 0) throw explain("checkout", last.stderr, address);
    }
    if (work.cache !== null && at.lock !== null) await makeRoom(work.cache);
  }
  await mirror.touch();
  if (order.submodules) {
    if (depth >= DEEPEST) throw new RunnerError("job", `${address.url} has submodules more than ${DEEPEST} deep`);
    const { allow } = work.process;
    for (const inner of await submodulesOf({ gitDir: mirror.dir, commit, address }, allow, git)) {
      const folder = await submoduleFolder(into, inner.path);
      await place(work, {
        address: inner.address,
        ref: inner.commit,
        into: folder,
        submodules: true,
        depth: depth + 1,
      });
    }
  }
  return commit;
}

/** Repositories of this machine are as near as a cache of them. */
function mirrorPlace({ cache, scratch, limitMs, process }: Work, address: GitAddress): MirrorPlace {
  const local = address.url.startsWith("/") || address.url.startsWith("file:");
  if (cache === null || local) return { dir: `${scratch}.git`, lock: null };
  const dir = join(cache.dir, mirrorName(address));
  return { dir, lock: { file: `${dir}.lock`, maxWaitMs: limitMs, signal: process.stop } };
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
