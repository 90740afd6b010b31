import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Real processes for the fault suite: the program itself (RUNNER_BIN, else the sources under this bun), a state folder
 * per test, and an end by pid. Nothing here knows the inside of either half.
 */
const MAIN = join(import.meta.dir, "../../../cmd/main.ts");
export const program: readonly string[] = process.env.RUNNER_BIN ? [process.env.RUNNER_BIN] : [process.execPath, MAIN];

export interface Proc {
  readonly pid: number;
  /** Everything it wrote to stderr so far. */
  stderr(): string;
  stdout(): string;
  signal(name: NodeJS.Signals): void;
  /** SIGKILL and wait. */
  kill9(): Promise<void>;
  readonly exited: Promise<number>;
  readonly alive: () => boolean;
}

export interface Bed {
  readonly root: string;
  path(...parts: string[]): string;
  spawn(args: readonly string[], env?: Record<string, string>): Proc;
  /** Run to the end; stdout and exit code. */
  run(args: readonly string[], env?: Record<string, string>): Promise<{ code: number; stdout: string; stderr: string }>;
  /** Of the processes above that live. */
  pids(): number[];
  end(): Promise<void>;
}

/** PATH and HOME of a user, nothing of the test's own environment. Bun keeps no cache of our sources in that home. */
const BASE_ENV = {
  PATH: process.env.PATH ?? "/usr/bin:/bin",
  LANG: "C.UTF-8",
  CHECKPOINT_DISABLE: "1",
  BUN_RUNTIME_TRANSPILER_CACHE_PATH: "0",
};

export function makeBed(): Bed {
  const root = mkdtempSync(join(tmpdir(), "runner-fault-"));
  const procs: Proc[] = [];
  const spawn = (args: readonly string[], env: Record<string, string> = {}): Proc => {
    const child = Bun.spawn([...program, ...args], {
      cwd: root,
      env: { ...BASE_ENV, HOME: root, TMPDIR: root, ...env },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const collect = (stream: ReadableStream<Uint8Array>) => {
      let text = "";
      const decoder = new TextDecoder();
      const over = (async () => {
        for await (const chunk of stream) text += decoder.decode(chunk, { stream: true });
      })();
      return { text: () => text, over };
    };
    const out = collect(child.stdout);
    const err = collect(child.stderr);
    let alive = true;
    const exited = child.exited.then((code) => {
      alive = false;
      return code;
    });
    const proc: Proc = {
      pid: child.pid,
      stdout: out.text,
      stderr: err.text,
      signal: (name) => void process.kill(child.pid, name),
      kill9: async () => {
        if (alive) process.kill(child.pid, "SIGKILL");
        await exited;
      },
      // A tool that lives on may hold the pipe: what was written is read within a moment of the end, or never.
      exited: exited.then(async (code) => {
        await Promise.race([Promise.all([out.over, err.over]), Bun.sleep(2_000)]);
        return code;
      }),
      alive: () => alive,
    };
    procs.push(proc);
    return proc;
  };
  return {
    root,
    path: (...parts) => join(root, ...parts),
    spawn,
    run: async (args, env) => {
      const proc = spawn(args, env);
      const code = await proc.exited;
      return { code, stdout: proc.stdout(), stderr: proc.stderr() };
    },
    pids: () => procs.filter((proc) => proc.alive()).map((proc) => proc.pid),
    end: async () => {
      await Promise.all(procs.map((proc) => proc.kill9()));
      for (const pid of toolsBelow(root)) {
        try {
          process.kill(pid, "SIGKILL");
        } catch {
          // ended by itself
        }
      }
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** Living tools: processes whose environment names a file below `root`. */
export function toolsBelow(root: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, "utf8").includes(`RUNNER_CODE=${root}`);
      } catch {
        return false;
      }
    });
}

/**
 * Everything that lives and was started below `root`, its environment or its folder says so, but for `known` (the
 * processes that the test itself started).
 */
export function strangersBelow(root: string, known: readonly number[]): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && !known.includes(Number(name)))
    .flatMap((pid) => {
      try {
        const below = `${readlinkSync(`/proc/${pid}/cwd`)}/`.startsWith(`${root}/`);
        if (!below && !readFileSync(`/proc/${pid}/environ`, "utf8").includes(root)) return [];
        if (!isAlive(Number(pid))) return [];
        return [`${pid} ${readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim()}`];
      } catch {
        return [];
      }
    });
}

/** Polls until `look` gives something; fails with the reason after `limitMs`. */
export async function until<T>(
  what: string,
  look: () => Promise<T | null | undefined | false> | T | null | undefined | false,
  limitMs = 30_000,
): Promise<T> {
  const end = Date.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`${what}: not within ${limitMs} ms`);
    await Bun.sleep(50);
  }
}

export function freePort(): number {
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = server;
  server.stop(true);
  return port;
}

/** Lives, and is not a zombie that nobody reaped. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
