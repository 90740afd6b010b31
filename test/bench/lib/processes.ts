import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Proc {
  readonly pid: number;
  /** Everything it wrote to stdout and stderr, for the message when it fails. */
  output(): string;
  readonly exited: Promise<number>;
  /** SIGTERM, then SIGKILL after `graceMs`; resolves when it is gone. */
  stop(graceMs?: number): Promise<void>;
}

/** A private folder and the processes started in it; all of them are ended, by pid, with it. */
export interface Bed {
  readonly root: string;
  path(...parts: string[]): string;
  spawn(argv: readonly string[], env?: Readonly<Record<string, string>>): Proc;
  end(): Promise<void>;
}

/** PATH and what a shell has; nothing of the caller's own settings. */
const BASE_ENV = { PATH: process.env.PATH ?? "/usr/bin:/bin", LANG: "C.UTF-8", CHECKPOINT_DISABLE: "1" };

const beds = new Set<Bed>();

/** Nothing is left behind when the benchmark itself is stopped. */
export const endEveryBed = () => Promise.all([...beds].map((bed) => bed.end()));

export function makeBed(): Bed {
  const root = mkdtempSync(join(tmpdir(), "runner-bench-"));
  const procs: Proc[] = [];
  const bed: Bed = {
    root,
    path: (...parts) => join(root, ...parts),
    spawn: (argv, env = {}) => {
      const proc = spawn(argv, root, { ...BASE_ENV, HOME: root, TMPDIR: root, ...env });
      procs.push(proc);
      return proc;
    },
    end: async () => {
      beds.delete(bed);
      await Promise.all(procs.map((proc) => proc.stop()));
      rmSync(root, { recursive: true, force: true });
    },
  };
  beds.add(bed);
  return bed;
}

function spawn(argv: readonly string[], cwd: string, env: Record<string, string>): Proc {
  const child = Bun.spawn([...argv], { cwd, env, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  let text = "";
  const collect = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) text += decoder.decode(chunk, { stream: true });
  };
  void collect(child.stdout);
  void collect(child.stderr);
  return {
    pid: child.pid,
    output: () => text,
    exited: child.exited,
    stop: async (graceMs = 5_000) => {
      child.kill("SIGTERM");
      const killer = setTimeout(() => child.kill("SIGKILL"), graceMs);
      await child.exited;
      clearTimeout(killer);
    },
  };
}

/** Resident memory of a process, MiB. NaN when it is gone. */
export function rssMiB(pid: number): number {
  try {
    const found = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return found ? Number(found[1]) / 1024 : Number.NaN;
  } catch {
    return Number.NaN;
  }
}

/** The highest resident memory seen until `stop` is called, MiB, sampled every 20 ms. */
export function watchRss(pid: number): { stop(): number } {
  let peak = rssMiB(pid);
  const timer = setInterval(() => {
    const now = rssMiB(pid);
    if (now > peak) peak = now;
  }, 20);
  return {
    stop: () => {
      clearInterval(timer);
      return peak;
    },
  };
}

/** Asks every `everyMs` until `look` gives something; throws after `limitMs`. */
export async function until<T>(
  what: string,
  look: () => Promise<T | null | undefined | false> | T | null | undefined | false,
  { everyMs = 5, limitMs = 60_000 } = {},
): Promise<T> {
  const end = performance.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (performance.now() > end) throw new Error(`${what}: not within ${limitMs} ms`);
    await Bun.sleep(everyMs);
  }
}

export function freePort(): number {
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = server;
  server.stop(true);
  return port;
}
