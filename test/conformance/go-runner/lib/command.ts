/** Runs a program to its end; its lines go to the log as they come. Only this one process is killed (5.6). */
export async function runCommand(
  argv: readonly string[],
  options: {
    readonly cwd: string;
    readonly env: Readonly<Record<string, string>>;
    readonly signal: AbortSignal;
    readonly killWith?: NodeJS.Signals;
    readonly onOut?: (line: string) => void;
    readonly onErr?: (line: string) => void;
  },
): Promise<{ readonly code: number; readonly stdout: string }> {
  const child = Bun.spawn([...argv], {
    cwd: options.cwd,
    env: { ...options.env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const kill = () => child.kill(options.killWith ?? "SIGKILL");
  options.signal.addEventListener("abort", kill, { once: true });
  const read = async (stream: ReadableStream<Uint8Array>, onLine: ((line: string) => void) | undefined) => {
    let all = "";
    let rest = "";
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      const text = decoder.decode(chunk, { stream: true });
      all += text;
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) onLine?.(line);
    }
    if (rest !== "") onLine?.(rest);
    return all;
  };
  const [stdout] = await Promise.all([read(child.stdout, options.onOut), read(child.stderr, options.onErr)]);
  const code = await child.exited;
  options.signal.removeEventListener("abort", kill);
  return { code, stdout };
}
