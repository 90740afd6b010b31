import { RunnerError } from "../../protocol/errors.ts";
import type { GitAddress } from "./address.ts";
import type { Git } from "./command.ts";

export interface Wanted {
  /** What to ask the remote for: `HEAD`, a full ref name or a full commit. */
  readonly ref: string;
  /** The commit it stands for, as the remote says now. */
  readonly commit: string;
}

export const FULL_COMMIT = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

/**
 * Asks the remote, with the job's own login, what a name stands for: branch before tag, nothing is guessed. A full
 * commit is taken as it is, but the question is put all the same: only who may read the remote gets what a cache of it
 * has. Throws RunnerError.
 */
export async function resolveRef(name: string, address: GitAddress, git: Git): Promise<Wanted> {
  if (FULL_COMMIT.test(name)) {
    await git(["ls-remote", "--quiet", address.url, "HEAD"]);
    return { ref: name, commit: name };
  }
  const candidates = candidatesOf(name);
  const patterns = candidates.flatMap((ref) => (ref === "HEAD" ? [ref] : [ref, `${ref}^{}`]));
  const { stdout } = await git(["ls-remote", "--quiet", address.url, ...patterns]);
  const there = new Map(
    stdout.split("\n").map((line) => {
      const [commit = "", ref = ""] = line.split("\t");
      return [ref, commit] as const;
    }),
  );
  for (const ref of candidates) {
    const commit = there.get(`${ref}^{}`) ?? there.get(ref);
    if (commit !== undefined) return { ref, commit };
  }
  throw missing(name, address);
}

function candidatesOf(name: string): readonly string[] {
  if (name === "" || name === "HEAD") return ["HEAD"];
  return name.startsWith("refs/") ? [name] : [`refs/heads/${name}`, `refs/tags/${name}`];
}

function missing(name: string, { url }: GitAddress): RunnerError {
  if (name === "" || name === "HEAD") {
    return new RunnerError("job", `${url} has no default branch: it is empty`, { remedy: "name a branch or a tag" });
  }
  const short = /^[0-9a-f]{4,63}$/.test(name);
  return new RunnerError("job", `${url} has no branch or tag ${JSON.stringify(name)}`, {
    remedy: short ? "a commit must be given with all its 40 digits" : "check the ref, or name a full commit",
  });
}
