import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { BED_CACHE } from "./go-program.ts";

/**
 * The image that pods and containers of the tests run: busybox of the machine, 2 MB, as a docker archive that podman,
 * docker and containerd load. Holds `localhost/bb:1` (a shell) and `localhost/pause:1` (sleeps). Made once.
 */
export function busyboxArchive(): string {
  const archive = join(BED_CACHE, "busybox-image.tar");
  if (existsSync(archive)) return archive;
  mkdirSync(BED_CACHE, { recursive: true });
  const folder = mkdtempSync(join(BED_CACHE, "image-"));
  try {
    const busybox = Bun.which("busybox");
    if (busybox === null) throw new Error("no busybox-static on this machine");
    const root = join(folder, "root");
    for (const name of ["bin", "etc", "tmp"]) mkdirSync(join(root, name), { recursive: true });
    copyFileSync(busybox, join(root, "bin", "busybox"));
    const applets = Bun.spawnSync([busybox, "--list"]).stdout.toString().trim().split("\n");
    for (const name of applets) if (name !== "busybox") symlinkSync("busybox", join(root, "bin", name));
    writeFileSync(join(root, "etc", "passwd"), "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n");
    const podman = (...args: string[]) => {
      const store = ["--root", join(folder, "store"), "--runroot", join(folder, "run")];
      const done = Bun.spawnSync(["podman", ...store, ...args], { stdio: ["ignore", "ignore", "pipe"] });
      if (!done.success) throw new Error(`podman ${args[0]}: ${done.stderr.toString()}`);
    };
    Bun.spawnSync(["tar", "-C", root, "-cf", join(folder, "root.tar"), "."]);
    podman("import", join(folder, "root.tar"), "localhost/bb:1");
    podman("import", "--change", 'CMD ["/bin/sleep","infinity"]', join(folder, "root.tar"), "localhost/pause:1");
    podman(
      "save",
      "--format",
      "docker-archive",
      "-m",
      "-o",
      join(folder, "i.tar"),
      "localhost/bb:1",
      "localhost/pause:1",
    );
    renameSync(join(folder, "i.tar"), archive);
    return archive;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
