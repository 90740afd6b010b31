import { identify } from "./identity.ts";
import { membersOf } from "./members.ts";
import { stopTool } from "./stop-tool.ts";

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end with its output in memory. Rejects when it cannot be started. `stdin`: nothing. */
export type Run = (
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
  cwd: string,
  stdin?: string,
) => Promise<RunResult>;

/** Output kept of each stream, in characters: errors are at the end. */
const KEEP = 65_536;

/** The default: a process group of its own, ended with everything in it when the signal is aborted. */
export function runGroup(signal: AbortSignal): Run {
  return async (argv, env, cwd, stdin) => {
    if (signal.aborted) return { code: 143, stdout: "", stderr: "" };
    const input = stdin === undefined ? ("ignore" as const) : Buffer.from(stdin);
    const child = Bun.spawn([...argv], { cwd, env, detached: true, stdin: input, stdout: "pipe", stderr: "pipe" });
    const identity = identify(child.pid);
    const stop = () => void stopTool({ identity, codeFile: "", executionId: NOBODY }, LADDER);
    signal.addEventListener("abort", stop, { once: true });
    try {
      const [stdout, stderr, code] = await Promise.all([tail(child.stdout), tail(child.stderr), child.exited]);
      // On abort the caller may delete the folder: not while a helper of git still writes into it.
      while (signal.aborted && membersOf(identity, NOBODY).length > 0) await Bun.sleep(20);
      return { code, stdout, stderr };
    } finally {
      signal.removeEventListener("abort", stop);
    }
  };
}

const LADDER = { first: "SIGTERM", grace_ms: 2_000 } as const;
/** No process carries this mark: only the group counts. */
const NOBODY = "\n";

async function tail(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) text = (text + decoder.decode(chunk, { stream: true })).slice(-KEEP);
  return text;
}
