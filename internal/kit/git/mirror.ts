import { createHash } from "node:crypto";
import { access, mkdir, readdir, rename, rm, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { RunnerError } from "../../protocol/errors.ts";
import { systemClock } from "../base/clock.ts";
import { failpoint } from "../base/failpoint.ts";
import { withFileLock } from "../tools/index.ts";
import type { GitAddress } from "./address.ts";
import type { Git } from "./command.ts";
import { FULL_COMMIT, type Wanted } from "./resolve-ref.ts";

/** Where fetched repositories are kept for the jobs of this machine. */
export interface GitCache {
  readonly dir: string;
  /** Of all repositories together; those used longest ago go first. 0: nothing is kept. */
  readonly maxBytes: number;
}

/** A bare repository that holds single commits of one remote, without their history. */
export interface Mirror {
  readonly dir: string;
  /** Fetches the commit unless it is there; returns the commit. One process at a time fetches. */
  obtain(wanted: Wanted): Promise<string>;
  /** Puts a new repository with this commit in place of one that turned out to be damaged. */
  rebuild(wanted: Wanted): Promise<string>;
  /** Marks it as used now. */
  touch(): Promise<void>;
}

export interface MirrorPlace {
  readonly dir: string;
  /** null: it is this checkout's alone. */
  readonly lock: { readonly file: string; readonly maxWaitMs: number; readonly signal: AbortSignal } | null;
}

/** After so many fetches a new repository is faster than the old one. */
const MOST_PACKS = 50;

/**
 * Name of a remote's folder: its address and the user name of the login. The password is not part of it (installation
 * tokens change by the hour); who may read is asked of the remote each time.
 */
export function mirrorName({ url, login }: GitAddress): string {
  return `${createHash("sha256")
    .update(`${url}\n${login?.username ?? ""}`)
    .digest("hex")
    .slice(0, 32)}.git`;
}

export function openMirror(place: MirrorPlace, address: GitAddress, git: Git): Mirror {
  const { dir } = place;
  const locked = async <T>(work: () => Promise<T>): Promise<T> => {
    if (place.lock === null) return await work();
    const { file, maxWaitMs, signal } = place.lock;
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    return await withFileLock(file, { clock: systemClock, maxWaitMs, signal }, work);
  };
  const has = async (commit: string) =>
    (await git(["cat-file", "-e", `${commit}^{commit}`], { gitDir: dir, mayFail: true })).code === 0;

  /** A second repository beside the first: only a fetch that succeeds replaces what is there. */
  const renew = async (wanted: Wanted): Promise<string> => {
    const mark = `${process.pid}.${Math.random().toString(36).slice(2)}`;
    const [fresh, old] = [`${dir}.new.${mark}`, `${dir}.old.${mark}`];
    try {
      await create(fresh, address, git);
      const commit = await fetchInto(fresh, wanted, address, git);
      await exchange(fresh, dir, old);
      return commit;
    } finally {
      for (const path of [fresh, old]) await rm(path, { recursive: true, force: true });
    }
  };

  return {
    dir,
    obtain: (wanted) =>
      locked(async () => {
        if (!(await exists(join(dir, "HEAD"))) || (await packs(dir)) > MOST_PACKS) return await renew(wanted);
        if (await has(wanted.commit)) return wanted.commit;
        try {
          return await fetchInto(dir, wanted, address, git);
        } catch (error) {
          if (!(error instanceof RunnerError) || !mayBeDamage(error)) throw error;
          return await renew(wanted);
        }
      }),
    rebuild: (wanted) => locked(() => renew(wanted)),
    async touch() {
      await utimes(join(dir, "description"), new Date(), new Date()).catch(() => undefined);
    },
  };
}

/** Twice at once is rare and no harm: the later one stays. */
async function exchange(fresh: string, dir: string, old: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    await rename(dir, old).catch(() => undefined); // there may be none
    failpoint("git.swap");
    try {
      return await rename(fresh, dir);
    } catch (error) {
      if (tries === 3) throw error;
      await rm(old, { recursive: true, force: true });
    }
  }
}

/** What the remote or the network says is no reason to fetch everything again. */
const mayBeDamage = ({ kind }: RunnerError) => kind === "job" || kind === "environment";

async function create(dir: string, address: GitAddress, git: Git): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await git(["init", "--quiet", "--bare", "--template="], { gitDir: dir });
  await writeFile(join(dir, "description"), `${address.url}\n`, { mode: 0o600 });
}

/** Servers may refuse a commit that no ref names; then everything is fetched and the commit looked for in it. */
async function fetchInto(dir: string, { ref, commit }: Wanted, address: GitAddress, git: Git): Promise<string> {
  const base = ["fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head"] as const;
  const byCommit = FULL_COMMIT.test(ref);
  const kept = `refs/runner/${createHash("sha256").update(ref).digest("hex").slice(0, 40)}`;
  const one = await git([...base, "--depth=1", address.url, `+${ref}:${kept}`], { gitDir: dir, mayFail: byCommit });
  if (one.code === 0) {
    const found = await git(["rev-parse", "--verify", `${kept}^{commit}`], { gitDir: dir });
    return found.stdout.trim();
  }
  const whole = (await exists(join(dir, "shallow"))) ? ["--unshallow"] : [];
  const all = ["+refs/heads/*:refs/runner-all/heads/*", "+refs/tags/*:refs/runner-all/tags/*"];
  await git([...base, ...whole, address.url, ...all], { gitDir: dir });
  const known = await git(["cat-file", "-e", `${commit}^{commit}`], { gitDir: dir, mayFail: true });
  if (known.code !== 0) {
    throw new RunnerError("job", `${address.url} has no commit ${commit}`, { remedy: "check the ref" });
  }
  return commit;
}

async function packs(dir: string): Promise<number> {
  const names = await readdir(join(dir, "objects/pack")).catch(() => []);
  return names.filter((name) => name.endsWith(".pack")).length;
}

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );
