import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { BED_CACHE } from "./go-program.ts";
import { DEBIAN_ROOT, type SystemdHost } from "./systemd.ts";

/** crun and the library that the Debian of startSystemd has not got. */
const CRUN = join(BED_CACHE, "crun-1");
const LIBRARIES = "/usr/lib/x86_64-linux-gnu";

export const nestedPodmanMissing = (): string | null => (existsSync(CRUN) ? null : "no crun (test/bed/provision.ts)");

/**
 * Takes crun out of Debian's package, without installing it: podman of this machine would start to use it. Answers what is
 * in the way, null when it is there.
 */
export function makeCrun(): string | null {
  if (existsSync(CRUN)) return null;
  if (process.arch !== "x64") return "crun of the bed is for x64 only";
  mkdirSync(BED_CACHE, { recursive: true });
  const folder = mkdtempSync(join(BED_CACHE, "crun-"));
  const run = (...argv: string[]) => Bun.spawnSync(argv, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
  const fetch = () => run("apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", "crun", "libyajl2");
  try {
    let fetched = fetch();
    // The lists of an image are old, or not there at all.
    if (!fetched.success && run("apt-get", "-qq", "update").success) fetched = fetch();
    if (!fetched.success) return `crun: ${fetched.stderr.toString().trim()}`;
    for (const name of readdirSync(folder)) if (name.endsWith(".deb")) run("dpkg-deb", "-x", name, "root");
    mkdirSync(join(folder, "made"));
    copyFileSync(join(folder, "root/usr/bin/crun"), join(folder, "made/crun"));
    copyFileSync(join(folder, "root", LIBRARIES, "libyajl.so.2"), join(folder, "made/libyajl.so.2"));
    renameSync(join(folder, "made"), CRUN);
    return null;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** podman of this machine for a machine of startSystemd: its programs, with the libraries that are missing there. */
export function podmanMounts(): string[] {
  const programs = ["podman", "conmon"].map((name) => Bun.which(name) ?? "");
  const libraries = programs.flatMap((program) => {
    const listed = Bun.spawnSync(["ldd", program]).stdout.toString();
    return [...listed.matchAll(/=> \S*\/([^/\s]+) \(/g)].map(([, name = ""]) => join(LIBRARIES, name));
  });
  const absent = [...new Set(libraries)].filter((path) => !existsSync(join(DEBIAN_ROOT, path)));
  const own = readdirSync(CRUN).map((name) => {
    const to = name === "crun" ? "/usr/bin" : LIBRARIES;
    return `${join(CRUN, name)}:${join(to, name)}:ro`;
  });
  return [
    ...programs.map((path) => `${path}:/usr/bin/${basename(path)}:ro`),
    ...absent.map((p) => `${p}:${p}:ro`),
    ...own,
  ];
}

/**
 * A container cannot have control groups inside of a container here (theirs are read-only), and the limits of processes
 * of a user are those around it. What a unit says stays as it is; only limits of a control group do not hold.
 */
const CONTAINERS = `[engine]
runtime="crun"
cgroup_manager="cgroupfs"
events_logger="file"
[containers]
cgroups="disabled"
default_ulimits=["nofile=1024:4096","nproc=1000:2000"]
`;

/** At /var/lib/containers a folder of a real file system is to be mounted: overlays do not lie on overlays. */
export async function setUpPodman(vm: SystemdHost): Promise<void> {
  await vm.write("/etc/containers/containers.conf", CONTAINERS);
  await vm.write("/etc/containers/policy.json", '{"default":[{"type":"insecureAcceptAnything"}]}');
  await vm.write("/etc/containers/registries.conf", '[[registry]]\nlocation="127.0.0.1"\ninsecure=true\n');
  await vm.write(
    "/etc/containers/storage.conf",
    '[storage]\ndriver="overlay"\ngraphroot="/var/lib/containers/storage"\nrunroot="/run/containers/storage"\n',
  );
}
