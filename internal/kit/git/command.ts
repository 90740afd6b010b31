import { RunnerError } from "../../protocol/errors.ts";
import type { Run, RunResult } from "../exec/index.ts";
import type { GitAddress } from "./address.ts";
import { type GitSurroundings, gitEnv } from "./environment.ts";
import { explain } from "./explain.ts";

export interface GitCall {
  /** The repository it works on. */
  readonly gitDir?: string;
  readonly workTree?: string;
  readonly index?: string;
  /** The answer is the caller's to judge. */
  readonly mayFail?: boolean;
}

/** Runs one git command; throws RunnerError with git's own words in one line. */
export type Git = (args: readonly [string, ...string[]], call?: GitCall) => Promise<RunResult>;

export interface GitProcess extends GitSurroundings {
  readonly program: string;
  readonly run: Run;
  readonly cwd: string;
  /** What the caller asked for; the rest of `stop` is the time limit. */
  readonly cancelled: () => boolean;
  readonly stop: AbortSignal;
}

/** Git for one remote: it has that remote's login, and no other. */
export function gitFor(address: GitAddress, process: GitProcess): Git {
  const env = gitEnv(address, process);
  return async (args, { gitDir, workTree, index, mayFail = false } = {}) => {
    const place = {
      ...(gitDir === undefined ? {} : { GIT_DIR: gitDir }),
      ...(workTree === undefined ? {} : { GIT_WORK_TREE: workTree }),
      ...(index === undefined ? {} : { GIT_INDEX_FILE: index }),
    };
    const result = await process.run([process.program, ...args], { ...env, ...place }, process.cwd);
    if (process.stop.aborted) throw stopped(address, process.cancelled());
    if (result.code !== 0 && !mayFail) throw explain(args[0], result.stderr, address, process.ssh.knownHosts);
    return result;
  };
}

export function stopped(address: GitAddress, cancelled: boolean): RunnerError {
  return cancelled
    ? new RunnerError("cancelled", "the git checkout was stopped")
    : new RunnerError("timed-out", `git did not finish ${address.url} in time`);
}
