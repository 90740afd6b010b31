import { accessSync, closeSync, constants, openSync, readSync, statSync } from "node:fs";
import { delimiter, isAbsolute, join, resolve } from "node:path";
import { RunnerError } from "../../protocol/errors.ts";

/**
 * Absolute path of a program, looked up on the PATH of the environment it will run in (a name with a slash: relative
 * to `cwd`). Done before the spawn, so that a missing program is told apart from one that ended with code 127.
 * Throws RunnerError: `environment` for a program that is not on PATH, `job` for a file of the job that cannot be run.
 */
export function resolveProgram(name: string, path: string | undefined, cwd: string): string {
  if (name === "") throw new RunnerError("job", "the command is empty", { remedy: "name a program to run" });
  if (name.includes("/")) return checkFile(isAbsolute(name) ? name : resolve(cwd, name), name);
  const folders = (path ?? "").split(delimiter).filter((folder) => isAbsolute(folder));
  for (const folder of folders) {
    const candidate = join(folder, name);
    if (executable(candidate)) return checkFile(candidate, name);
  }
  const where = folders.length === 0 ? "PATH is empty" : `PATH is ${folders.join(delimiter)}`;
  throw new RunnerError("environment", `program "${name}" was not found (${where})`, {
    remedy: `install ${name} on this machine, or name it with its full path`,
  });
}

function checkFile(file: string, name: string): string {
  if (executable(file)) return checkInterpreter(file, name);
  const kind = statSync(file, { throwIfNoEntry: false });
  if (!kind) {
    throw new RunnerError("job", `"${name}" does not exist (looked for ${file})`, {
      remedy: "check the path; it is relative to the working directory of the step",
    });
  }
  if (kind.isDirectory()) {
    throw new RunnerError("job", `"${name}" is a directory, not a program`, { remedy: "name a file in it" });
  }
  throw new RunnerError("job", `"${name}" is not executable`, { remedy: `run chmod +x on it in the source` });
}

/** A script whose interpreter is missing would only say "not found", about a file that is plainly there. */
function checkInterpreter(file: string, name: string): string {
  const interpreter = /^#!\s*(\S+)/.exec(firstBytes(file))?.[1];
  if (!interpreter || executable(interpreter)) return file;
  throw new RunnerError("environment", `"${name}" wants the interpreter ${interpreter}, which does not exist here`, {
    remedy: interpreter.endsWith("\r")
      ? "save the script with Unix line ends"
      : "install it, or change the first line of the script",
  });
}

function firstBytes(file: string): string {
  try {
    const fd = openSync(file, "r");
    try {
      const bytes = Buffer.alloc(256);
      return bytes.subarray(0, readSync(fd, bytes)).toString("latin1");
    } finally {
      closeSync(fd);
    }
  } catch {
    return ""; // executable but not readable: the kernel runs it all the same
  }
}

function executable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
