import { closeSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

/** A server of a test: own process group, output in a file of the test's folder, ended by its pid and never by name. */
export interface Daemon {
  readonly name: string;
  readonly pid: number;
  /** Signal to its process group, then wait for its end. */
  end(signal?: NodeJS.Signals): Promise<void>;
  log(): string;
}

export function startDaemon(
  folder: string,
  name: string,
  argv: readonly string[],
  env: Record<string, string> = {},
): Daemon {
  const file = join(folder, `${name}.log`);
  const out = openSync(file, "a");
  const child = Bun.spawn([...argv], {
    detached: true,
    env: { ...process.env, ...env },
    stdio: ["ignore", out, out],
  });
  closeSync(out);
  return {
    name,
    pid: child.pid,
    async end(signal = "SIGTERM") {
      if (child.exitCode === null) {
        try {
          process.kill(-child.pid, signal);
        } catch {
          // It ended by itself in between.
        }
      }
      await child.exited;
    },
    log: () => readFileSync(file, "utf8"),
  };
}

/** A free port of the loopback; nobody holds it between the answer and its use, so ask late. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

/** Asks until it answers true; throws with the daemons' last words after `limitMs`. */
export async function ready(
  what: string,
  ask: () => Promise<boolean> | boolean,
  daemons: readonly Daemon[] = [],
  limitMs = 60_000,
): Promise<void> {
  const until = performance.now() + limitMs;
  while (performance.now() < until) {
    try {
      if (await ask()) return;
    } catch {
      // Not yet.
    }
    await Bun.sleep(50);
  }
  const words = daemons.map((daemon) => `${daemon.name}: ${daemon.log().slice(-600)}`).join("\n");
  throw new Error(`${what} did not happen within ${limitMs / 1000} s\n${words}`);
}
