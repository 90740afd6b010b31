import { existsSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, ready, startDaemon } from "./daemon.ts";
import { BED_CACHE } from "./go-program.ts";
import { MOTO } from "./manifest.ts";

/** A stand-in for AWS on loopback. By default it takes any keys, like AWS with everything allowed. */
export interface Moto {
  readonly url: string;
  end(): Promise<void>;
}

const venv = join(BED_CACHE, `moto_v${MOTO}`);
/** Python of its own environment, which has botocore too. */
export const motoPython = join(venv, "bin", "python");
export const motoMissing = (): string | null =>
  existsSync(motoPython) ? null : "moto was not installed (test/bed/provision.ts)";

/** Installs it unless that was done before: 320 MB, about a minute. Answers what is in the way. */
export function installMoto(): string | null {
  if (motoMissing() === null) return null;
  const python = Bun.which("python3");
  if (python === null) return "moto cannot be installed: no python3 on PATH";
  const building = `${venv}.${process.pid}`;
  const run = (argv: string[]) => Bun.spawnSync(argv, { stdio: ["ignore", "ignore", "pipe"] });
  try {
    // A virtual environment may be renamed as long as its programs are started by its python.
    for (const argv of [
      [python, "-m", "venv", building],
      [join(building, "bin", "python"), "-m", "pip", "install", "-q", `moto[server]==${MOTO}`],
    ]) {
      const done = run(argv);
      if (!done.success) return `moto cannot be installed: ${done.stderr.toString().trim().slice(-400)}`;
    }
    renameSync(building, venv);
    return null;
  } finally {
    rmSync(building, { recursive: true, force: true });
  }
}

/** Up in about two seconds. `strict`: it refuses every key it did not make. */
export async function startMoto(strict = false): Promise<Moto> {
  const folder = mkdtempSync(join(tmpdir(), "runner-moto-"));
  const port = await freePort();
  const argv = [motoPython, "-m", "moto.server", "-H", "127.0.0.1", "-p", String(port)];
  const daemon = startDaemon(folder, "moto", argv, strict ? { INITIAL_NO_AUTH_ACTION_COUNT: "0" } : {});
  const url = `http://127.0.0.1:${port}`;
  await ready("moto", async () => (await fetch(`${url}/moto-api/`)).ok, [daemon]);
  return {
    url,
    async end() {
      await daemon.end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
