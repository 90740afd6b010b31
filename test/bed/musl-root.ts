import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { engineMissing } from "./engines.ts";
import { BED_CACHE } from "./go-program.ts";
import { motoPython } from "./moto.ts";
import { debianMirror } from "./systemd.ts";

/**
 * A root without glibc, as Alpine's: busybox, musl, and the C++ library that the musl build of the runner needs. musl is
 * Debian 13's (12 has 1.2.3, which cannot load libraries with packed relocations); libstdc++ and libgcc_s for musl are
 * those that a wheel of PyPI brings along, for no other package that can be had here has them.
 */
export const MUSL_ROOT = join(BED_CACHE, "musl-root-1");
const SUITE = "trixie";
const WHEEL = { name: "kiwisolver==1.4.7", sha256: "90da3b5f694b85231cf93586dad5e90e2d71b9428f9aad96952c99055582f520" };

export const muslRootMissing = (): string | null =>
  engineMissing("podman") ?? (existsSync(MUSL_ROOT) ? null : "no root with musl (test/bed/provision.ts)");

/** Makes the root once per machine, in seconds. Answers what is in the way, null when it is there. */
export function makeMuslRoot(): string | null {
  if (existsSync(MUSL_ROOT)) return null;
  if (process.arch !== "x64") return "the root with musl is made on x64 only";
  mkdirSync(BED_CACHE, { recursive: true });
  const folder = mkdtempSync(join(BED_CACHE, "musl-"));
  try {
    const root = join(folder, "root");
    for (const name of [
      "bin",
      "etc",
      "lib",
      "proc",
      "dev",
      "sys",
      "run",
      "tmp",
      "usr/lib",
      "usr/bin",
      "usr/sbin",
      "var/lib",
    ]) {
      mkdirSync(join(root, name), { recursive: true });
    }
    writeFileSync(join(root, "etc/passwd"), "root:x:0:0::/:/bin/sh\n");
    writeFileSync(join(root, "etc/group"), "root:x:0:\n");
    putBusybox(root);
    putMusl(folder, root);
    putLibraries(folder, root);
    putOpenssl(root);
    renameSync(root, MUSL_ROOT);
    return null;
  } catch (error) {
    return `the root with musl: ${error instanceof Error ? error.message : error}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function run(argv: readonly string[], cwd?: string): string {
  const done = Bun.spawnSync([...argv], { ...(cwd ? { cwd } : {}), stdio: ["ignore", "pipe", "pipe"] });
  if (!done.success) throw new Error(`${argv[0]}: ${done.stderr.toString().trim().split("\n").slice(-2).join(" ")}`);
  return done.stdout.toString();
}

function putBusybox(root: string): void {
  const busybox = Bun.which("busybox");
  if (busybox === null) throw new Error("no busybox-static");
  copyFileSync(busybox, join(root, "bin/busybox"));
  for (const name of run([busybox, "--list"]).trim().split("\n")) {
    // Its wget ends with a segmentation fault here, as every static program that looks up names.
    if (name !== "busybox" && name !== "wget") symlinkSync("busybox", join(root, "bin", name));
  }
}

function putMusl(folder: string, root: string): void {
  const lists = join(folder, "lists");
  mkdirSync(join(lists, "partial"), { recursive: true });
  const keys = "/usr/share/keyrings/debian-archive-keyring.gpg";
  writeFileSync(join(folder, "sources.list"), `deb [signed-by=${keys}] ${debianMirror()} ${SUITE} main\n`);
  const settings = {
    "Dir::Etc::sourcelist": join(folder, "sources.list"),
    "Dir::Etc::sourceparts": "-",
    "Dir::State::lists": lists,
    "Dir::State::status": "/dev/null",
    "Dir::Cache": folder,
    "APT::Sandbox::User": "root",
  };
  const apt = ["apt-get", "-qq", ...Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`])];
  run([...apt, "update"], folder);
  run([...apt, "download", "musl"], folder);
  const archive = readdirSync(folder).find((name) => name.endsWith(".deb"));
  run(["dpkg-deb", "-x", archive ?? "", "musl"], folder);
  copyFileSync(join(folder, "musl/usr/lib/x86_64-linux-musl/libc.so"), join(root, "lib/ld-musl-x86_64.so.1"));
  chmodSync(join(root, "lib/ld-musl-x86_64.so.1"), 0o755);
  symlinkSync("ld-musl-x86_64.so.1", join(root, "lib/libc.musl-x86_64.so.1"));
}

function putLibraries(folder: string, root: string): void {
  writeFileSync(join(folder, "wheel.txt"), `${WHEEL.name} --hash=sha256:${WHEEL.sha256}\n`);
  const platform = ["--platform", "musllinux_1_2_x86_64", "--python-version", "3.12", "--only-binary=:all:"];
  // A python without pip is common; the environment of moto has one.
  const pip = [
    existsSync(motoPython) ? motoPython : "python3",
    "-m",
    "pip",
    "download",
    "-q",
    "--no-deps",
    "--disable-pip-version-check",
  ];
  run([...pip, ...platform, "--require-hashes", "-r", "wheel.txt"], folder);
  const wheel = readdirSync(folder).find((name) => name.endsWith(".whl")) ?? "";
  run(["python3", "-m", "zipfile", "-e", wheel, "wheel"], folder);
  const libraries = join(folder, "wheel/kiwisolver.libs");
  for (const name of readdirSync(libraries)) {
    copyFileSync(join(libraries, name), join(root, "usr/lib", name));
    // A library of a wheel has a digest in its name.
    symlinkSync(name, join(root, "usr/lib", name.startsWith("libstdc++") ? "libstdc++.so.6" : "libgcc_s.so.1"));
  }
}

/** Debian's own with its loader and libraries in a folder of its own: the root stays one without glibc. */
function putOpenssl(root: string): void {
  const own = join(root, "opt/openssl");
  mkdirSync(own, { recursive: true });
  const program = Bun.which("openssl");
  if (program === null) throw new Error("no openssl");
  const libraries = [...run(["ldd", program]).matchAll(/(\/\S+)/g)].map(([path]) => path);
  for (const path of [program, ...libraries]) copyFileSync(path, join(own, basename(path)));
  const loader = libraries.find((path) => /ld-linux/.test(path)) ?? "";
  const start = `exec /opt/openssl/${basename(loader)} --library-path /opt/openssl /opt/openssl/openssl "$@"`;
  writeFileSync(join(root, "usr/bin/openssl"), `#!/bin/sh\n${start}\n`, { mode: 0o755 });
}
