import { RunnerError } from "../../protocol/errors.ts";
import type { GitAddress } from "./address.ts";
import type { GitProcess } from "./command.ts";
import { gitEnv } from "./environment.ts";

export interface TreeLimits {
  /** Of all files together. */
  readonly maxBytes: number;
  /** Files and links. */
  readonly maxFiles: number;
}

/**
 * Counts what a commit would write, before it is written: a few small trees that name each other many times unfold to
 * millions of files. Throws RunnerError `job` at the file that passes a limit.
 */
export async function checkSize(
  at: { readonly gitDir: string; readonly commit: string; readonly address: GitAddress },
  limits: TreeLimits,
  process: GitProcess,
): Promise<void> {
  const env = { ...gitEnv(at.address, process), GIT_DIR: at.gitDir };
  const child = Bun.spawn([process.program, "ls-tree", "-r", "-l", "-z", at.commit], {
    cwd: process.cwd,
    env,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  });
  const stop = () => child.kill("SIGKILL");
  process.stop.addEventListener("abort", stop, { once: true });
  let files = 0;
  let bytes = 0;
  try {
    for await (const entry of entriesOf(child.stdout)) {
      const [, size = "0", path = ""] = /^\S+ \S+ \S+ +(\d+|-)\t([\s\S]*)$/.exec(entry) ?? [];
      files += 1;
      bytes += size === "-" ? 0 : Number(size);
      if (files <= limits.maxFiles && bytes <= limits.maxBytes) continue;
      const what =
        files > limits.maxFiles ? `more than ${limits.maxFiles} files` : `more than ${limits.maxBytes} bytes`;
      throw new RunnerError("job", `${at.address.url} is refused: with ${JSON.stringify(path)} it has ${what}`, {
        remedy: "raise --source-size (RUNNER_SOURCE_SIZE) or --source-files (RUNNER_SOURCE_FILES) of the runner",
      });
    }
  } finally {
    process.stop.removeEventListener("abort", stop);
    stop();
    await child.exited;
  }
}

async function* entriesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\0");
    rest = parts.pop() ?? "";
    yield* parts;
  }
}
