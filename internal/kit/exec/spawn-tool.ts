import { closeSync, constants, fchmodSync, openSync, statSync } from "node:fs";
import { RunnerError, reasonOf } from "../../protocol/errors.ts";
import { prepareCodeFile } from "./code-file.ts";
import { identify } from "./identity.ts";
import { CODE_FILE, MARKER } from "./members.ts";
import { resolveProgram } from "./resolve-program.ts";
import { type RunningTool, waitChild } from "./wait-tool.ts";

export interface SpawnOptions {
  /** Program (looked up on the PATH of `env`) and arguments. */
  readonly argv: readonly [string, ...string[]];
  /** The whole environment; only the two marks are added. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** File to read from; /dev/null when left out. */
  readonly stdin?: string;
  /** Open with O_APPEND: stderr, and stdout unless captured. Stays the caller's to close. */
  readonly outputFd: number;
  /** stdout into this file (0600, emptied first). */
  readonly captureFile?: string;
  /** Where the exit code survives a crash of the runner; made here, 0600. */
  readonly codeFile: string;
  /** Marks every process of the tool, see members.ts. */
  readonly executionId: string;
  /** For tests of other shells; default /bin/sh. */
  readonly shell?: string;
}

/**
 * Outlives the runner and keeps the code in a file. `trap :` and not `trap ''`: an ignored signal would be inherited
 * by the tool, an empty handler is not, and it keeps the shell alive until the tool has ended. Opened with `1<>`, for
 * an overwrite in place needs no new block on a full disk. ksh93 says 256 + n of signal n, the others 128 + n.
 */
const WRAPPER = `trap : INT TERM HUP; "$@"; rc=$?; [ "$rc" -le 255 ] || rc=$((rc - 128)); printf "%03d\\n" "$rc" 1<>"$${CODE_FILE}"; exit "$rc"`;

/**
 * Starts a tool in its own session and group, so that neither a crash of the runner nor a Ctrl-C meant for it touches
 * the tool. Throws RunnerError: program, folder or file missing, or no process to be had.
 */
export function spawnTool(options: SpawnOptions): RunningTool {
  if (!statSync(options.cwd, { throwIfNoEntry: false })?.isDirectory()) {
    throw new RunnerError("job", `the working directory ${options.cwd} does not exist`, {
      remedy: "check the path of the source",
    });
  }
  const [name, ...args] = options.argv;
  const program = resolveProgram(name, options.env.PATH, options.cwd);
  const opened: number[] = [];
  const open = (path: string, flags: number) => {
    const fd = openSync(path, flags, 0o600);
    opened.push(fd);
    if (flags !== constants.O_RDONLY) fchmodSync(fd, 0o600); // it may have been there before
    return fd;
  };
  try {
    prepareCodeFile(options.codeFile);
    const stdin = options.stdin === undefined ? null : open(options.stdin, constants.O_RDONLY);
    const stdout = options.captureFile === undefined ? options.outputFd : open(options.captureFile, CAPTURE_FLAGS);
    const child = Bun.spawn([options.shell ?? "/bin/sh", "-c", WRAPPER, "sh", program, ...args], {
      cwd: options.cwd,
      env: { ...options.env, [MARKER]: options.executionId, [CODE_FILE]: options.codeFile },
      detached: true,
      stdin,
      stdout,
      stderr: options.outputFd,
    });
    // Read before the event loop turns: even a child that has ended is still a zombie with a start time.
    const identity = identify(child.pid);
    const target = { identity, codeFile: options.codeFile, executionId: options.executionId };
    return {
      ...target,
      ended: waitChild(
        target,
        child.exited.then(() => child.exitCode),
      ),
    };
  } catch (cause) {
    throw new RunnerError("environment", `${name} could not be started: ${reasonOf(cause)}`, {
      remedy: "check free disk space, process limits and the permissions of the state directory",
      cause,
    });
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

const CAPTURE_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_APPEND;
