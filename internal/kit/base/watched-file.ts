import { readFileSync, statSync } from "node:fs";
import { type Result, RunnerError, reasonOf } from "../../protocol/errors.ts";
import type { SystemLog } from "./system-log.ts";

/** A file of rules that its owner may change at any time. */
export interface WatchedFile<T> {
  /** What the file says now; what it said last, where it cannot be used any more. */
  current(): T;
}

export interface WatchedOptions<T> {
  readonly path: string;
  /** How it is called, such as `the policy`. */
  readonly what: string;
  /** How it was given, such as `--policy (RUNNER_POLICY)`. */
  readonly setting: string;
  readonly parse: (text: string, path: string) => Result<T>;
  readonly log: SystemLog;
}

/** Throws RunnerError (usage) when it cannot be used at first; later that is said loudly, once for each reason. */
export function watchFile<T>({ path, what, setting, parse, log }: WatchedOptions<T>): WatchedFile<T> {
  const read = () => readOwned(path, what, setting);
  const parsed = (text: string): T => {
    const result = parse(text, path);
    if (!result.ok) throw result.error;
    return result.value;
  };
  let text = read();
  let value = parsed(text);
  let told = "";
  return {
    current() {
      try {
        const now = read();
        if (now === text && told === "") return value;
        value = parsed(now);
        log.info(`${what} was read again`, { file: path });
        text = now;
        told = "";
      } catch (error) {
        const reason = reasonOf(error);
        if (reason !== told)
          log.error(`${what} cannot be used any more; what it said before stays in force`, { file: path, reason });
        told = reason;
      }
      return value;
    },
  };
}

/** What anybody can write is nobody's rule. */
function readOwned(path: string, what: string, setting: string): string {
  try {
    if ((statSync(path).mode & 0o022) !== 0) throw new Error("others than its owner can write it (chmod go-w)");
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new RunnerError("usage", `${what} ${path} cannot be used: ${reasonOf(cause)}`, {
      remedy: `Check ${setting} and the file.`,
      cause,
    });
  }
}
