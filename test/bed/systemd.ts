import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ready } from "./daemon.ts";
import { engineMissing, startPodman } from "./engines.ts";
import { BED_CACHE } from "./go-program.ts";

/** A Debian with a real systemd as PID 1, in a container on the network of the test. */
export interface SystemdHost {
  /** Runs a program inside, as root unless it is told otherwise by `setpriv` or the like. */
  exec(...argv: string[]): Promise<Done>;
  /** The same; stdout. Throws what it said when its exit code is not 0. */
  run(...argv: string[]): Promise<string>;
  /** A file or folder of the test into the container, owned by root. */
  copyIn(from: string, to: string): Promise<void>;
  write(path: string, text: string, mode?: string): Promise<void>;
  readFile(path: string): Promise<string>;
  /** Pid of the container's PID 1 as the test sees it; what runs inside is below it in /proc. */
  readonly pid: number;
  end(): Promise<void>;
}

export interface Done {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const SUITE = "bookworm";
export const DEBIAN_ROOT = join(BED_CACHE, `systemd-root-${SUITE}-1`);
const PACKAGES = ["systemd", "systemd-sysv", "dbus", "procps", "ca-certificates", "openssl", "curl", "git"];
/** Nobody reads it in a test. */
const DISPENSABLE = ["var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale"];

/** What is in the way of `startSystemd`; null: nothing. */
export function systemdMissing(): string | null {
  return (
    engineMissing("podman") ?? (existsSync(DEBIAN_ROOT) ? null : "no Debian root with systemd (test/bed/provision.ts)")
  );
}

/** Makes the root of the containers once per machine, about a minute. Answers what is in the way, null when it is there. */
export function makeSystemdRoot(): string | null {
  if (existsSync(DEBIAN_ROOT)) return null;
  if (process.getuid?.() !== 0) return "the root with systemd is made as root";
  if (Bun.which("debootstrap") === null) return "no debootstrap for the root with systemd";
  mkdirSync(BED_CACHE, { recursive: true });
  const folder = mkdtempSync(join(BED_CACHE, "systemd-root-"));
  const root = join(folder, "root");
  try {
    const made = Bun.spawnSync(
      ["debootstrap", "--variant=minbase", `--include=${PACKAGES.join(",")}`, SUITE, root, debianMirror()],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    if (!made.success) return `debootstrap: ${made.stdout.toString().trim().split("\n").slice(-3).join(" ")}`;
    for (const name of DISPENSABLE) rmSync(join(root, name), { recursive: true, force: true });
    renameSync(root, DEBIAN_ROOT);
    return null;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Where this machine gets its own packages from (RUNNER_TEST_DEBIAN names another place). Throws when it is no Debian. */
export function debianMirror(): string {
  const format = ["--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages"];
  const listed = Bun.spawnSync(["apt-get", "indextargets", ...format], { stderr: "ignore" }).stdout.toString();
  const own = listed.split("\n").find((line) => line.endsWith(` ${SUITE}`));
  const mirror = process.env.RUNNER_TEST_DEBIAN ?? own?.split(" ")[0];
  if (!mirror) throw new Error(`apt has no source of ${SUITE}; RUNNER_TEST_DEBIAN names a mirror`);
  return mirror;
}

/**
 * A machine of its own for a test, up in half a second: what it writes is gone with it. SYS_ADMIN lets systemd apply
 * ProtectSystem, PrivateTmp and the like; without it they are silently left out and a test of them proves nothing.
 * `mounts`: `FROM:TO[:ro]`; `caps`: more capabilities.
 */
export async function startSystemd(
  options: { readonly mounts?: readonly string[]; readonly caps?: readonly string[] } = {},
): Promise<SystemdHost> {
  const podman = await startPodman();
  const env = { ...process.env, ...podman.env };
  const name = "vm";
  const done = async (argv: readonly string[], stdin: "ignore" | Buffer = "ignore"): Promise<Done> => {
    const child = Bun.spawn(["podman", ...argv], { env, stdin, stdout: "pipe", stderr: "pipe" });
    const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    return { code: await child.exited, stdout, stderr };
  };
  const wanted = async (argv: readonly string[], stdin?: Buffer): Promise<string> => {
    const { code, stdout, stderr } = await done(argv, stdin);
    if (code !== 0) throw new Error(`${argv.join(" ")}: ${code} ${stderr.trim()} ${stdout.trim()}`);
    return stdout;
  };
  try {
    const mounts = (options.mounts ?? []).flatMap((mount) => ["-v", mount]);
    const caps = ["SYS_ADMIN", ...(options.caps ?? [])].flatMap((cap) => ["--cap-add", cap]);
    const flags = ["--systemd=always", ...caps, "--network", "host", "--hostname", name, ...mounts];
    podman.run("run", "-d", "--name", name, ...flags, "--rootfs", `${DEBIAN_ROOT}:O`, "/lib/systemd/systemd");
    await ready("systemd", async () => {
      const state = await done(["exec", name, "systemctl", "is-system-running"]);
      return /^(running|degraded)$/.test(state.stdout.trim());
    });
    return {
      exec: (...argv) => done(["exec", name, ...argv]),
      run: (...argv) => wanted(["exec", name, ...argv]),
      async copyIn(from, to) {
        await wanted(["cp", from, `${name}:${to}`]);
        await wanted(["exec", name, "chown", "-R", "root:root", to]);
      },
      async write(path, text, mode = "0644") {
        const script = 'mkdir -p "$(dirname "$1")" && cat > "$1" && chmod "$2" "$1"';
        await wanted(["exec", "-i", name, "sh", "-c", script, "sh", path, mode], Buffer.from(text));
      },
      readFile: (path) => wanted(["exec", name, "cat", path]),
      pid: Number(podman.run("inspect", "-f", "{{.State.Pid}}", name).trim()),
      end: () => podman.end(),
    };
  } catch (error) {
    await podman.end();
    throw error;
  }
}
