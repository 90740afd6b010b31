import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { busyboxArchive } from "./busybox-image.ts";
import { type Daemon, ready, startDaemon } from "./daemon.ts";

/** A container engine of a test with a store of its own, which holds `localhost/bb:1` (busybox) and `localhost/pause:1`. */
export interface Engine {
  readonly name: "podman" | "docker";
  /** What a runner needs in its environment to use this engine and no other. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs the engine's command line; stdout. Throws what it said. */
  run(...args: string[]): string;
  end(): Promise<void>;
}

export const engineMissing = (name: Engine["name"]): string | null => {
  if (process.getuid?.() !== 0) return "container engines are started as root here";
  const program = name === "podman" ? "podman" : "/usr/sbin/dockerd";
  return Bun.which(program) === null ? `no ${program}` : null;
};

/** `runc` and low limits: this works without CAP_SYS_RESOURCE too, where podman's own defaults cannot start anything. */
const CONTAINERS_CONF = `[engine]
runtime="runc"
[containers]
default_ulimits=["nofile=1024:4096","nproc=1000:2000"]
`;

export async function startPodman(): Promise<Engine> {
  const folder = mkdtempSync(join(tmpdir(), "runner-podman-"));
  writeFileSync(join(folder, "containers.conf"), CONTAINERS_CONF);
  const store = { graphroot: join(folder, "root"), runroot: join(folder, "run") };
  writeFileSync(
    join(folder, "storage.conf"),
    `[storage]\ndriver="overlay"\ngraphroot="${store.graphroot}"\nrunroot="${store.runroot}"\n`,
  );
  const env = {
    CONTAINERS_CONF: join(folder, "containers.conf"),
    CONTAINERS_STORAGE_CONF: join(folder, "storage.conf"),
  };
  const engine: Engine = {
    name: "podman",
    env,
    run: (...args) => cli(["podman", ...args], env),
    async end() {
      Bun.spawnSync(["podman", "rm", "-af", "-t", "0"], { env: { ...process.env, ...env } });
      unmountBelow(folder);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  engine.run("load", "-i", busyboxArchive());
  return engine;
}

/** docker.io of Debian (20.10), without a bridge and without touching iptables: networks `none` and `host` work. */
export async function startDocker(): Promise<Engine> {
  const folder = mkdtempSync(join(tmpdir(), "runner-docker-"));
  mkdirSync(join(folder, "config"));
  writeFileSync(join(folder, "daemon.json"), "{}");
  const socket = `unix://${join(folder, "d.sock")}`;
  const daemon: Daemon = startDaemon(folder, "dockerd", [
    "/usr/sbin/dockerd",
    "-H",
    socket,
    `--data-root=${join(folder, "data")}`,
    `--exec-root=${join(folder, "exec")}`,
    `--pidfile=${join(folder, "d.pid")}`,
    `--config-file=${join(folder, "daemon.json")}`,
    "--iptables=false",
    "--bridge=none",
  ]);
  const env = { DOCKER_HOST: socket, DOCKER_CONFIG: join(folder, "config") };
  const engine: Engine = {
    name: "docker",
    env,
    run: (...args) => cli(["docker", ...args], env),
    async end() {
      await daemon.end();
      unmountBelow(folder);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await ready("dockerd", () => engine.run("version").length > 0, [daemon]);
  engine.run("load", "-i", busyboxArchive());
  return engine;
}

function cli(argv: readonly string[], env: Readonly<Record<string, string>>): string {
  const done = Bun.spawnSync([...argv], { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  if (!done.success) throw new Error(`${argv.join(" ")}: ${done.stderr.toString().trim()}`);
  return done.stdout.toString();
}

function unmountBelow(folder: string): void {
  const mounts = Bun.spawnSync(["findmnt", "-rno", "TARGET"]).stdout.toString().split("\n");
  for (const mount of mounts.filter((path) => path.startsWith(`${folder}/`)).reverse()) {
    Bun.spawnSync(["umount", "-l", mount]);
  }
}
