import { readFileSync } from "node:fs";
import { RunnerError, reasonOf } from "../../internal/protocol/errors.ts";

/** A one-line secret of a file. Throws RunnerError usage that names the file, never its content. */
export function readLine(path: string, what: string): string {
  const line = readFile(path, what).trim();
  if (line === "" || /\s/.test(line)) {
    throw new RunnerError("usage", `${what} ${path}: allowed is one line that is not empty`);
  }
  return line;
}

/** The same of a file that somebody may be writing: null while it is no such line. */
export function rereadLine(path: string): string | null {
  try {
    return readLine(path, "");
  } catch {
    return null;
  }
}

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "permission denied",
  EISDIR: "it is a folder",
};

/** Text of a file that a person named. `what` is how an error calls it. Throws RunnerError usage. */
export function readFile(path: string, what: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    throw new RunnerError("usage", `${what} ${path} cannot be read: ${WORDS[code] ?? reasonOf(cause)}`, {
      remedy: "Check the path and its permissions.",
      cause,
    });
  }
}
