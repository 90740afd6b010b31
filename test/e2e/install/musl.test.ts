import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BUN, ROOT } from "../../../scripts/lib/spawn.ts";
import { type Engine, startPodman } from "../../bed/engines.ts";
import { MUSL_ROOT, muslRootMissing } from "../../bed/musl-root.ts";

setDefaultTimeout(180_000);
const skip = muslRootMissing() !== null && process.env.CI !== "true";
const VERSION = "5.0.0-musl";

describe.skipIf(skip)("install.sh on a system with busybox and musl alone", () => {
  let podman: Engine;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "runner-musl-"));
    chmodSync(folder, 0o755);
    const flags = ["--target", "linux-x64-musl", "--version", VERSION, "--out", join(folder, "release")];
    const done = Bun.spawnSync([BUN, "scripts/run.ts", "release", ...flags], {
      cwd: ROOT,
      env: { ...process.env, XDG_CONFIG_HOME: folder },
      stdio: ["ignore", "ignore", "pipe"],
    });
    if (!done.success) throw new Error(`npm run release: ${done.stderr}`);
    podman = await startPodman();
  });
  afterAll(async () => {
    await podman?.end();
    rmSync(folder, { recursive: true, force: true });
  });

  /** A script in a new container of that root. */
  const inside = (script: string) =>
    podman.run(
      "run",
      "-v",
      `${folder}/release:/release:ro`,
      "--rootfs",
      `${MUSL_ROOT}:O`,
      "/bin/sh",
      "-c",
      `exec 2>&1; ${script}; true`,
    );

  test("takes the musl build, says that no tool there makes users, and removes all of it", () => {
    const said = inside(
      `sh /release/install.sh --no-service; runner version; ls /etc/runner; sh /release/install.sh --no-service
      sh /release/install.sh --purge; ls -d /etc/runner /var/lib/runner /usr/local/lib/runner`,
    );
    expect(said).toContain(`(runner_${VERSION}_linux_x64_musl, `);
    expect(said).toContain("nothing on this system makes users");
    expect(said).toContain(`\n${VERSION}\nrunner.env\nrunner.env.dist\n`);
    expect(said).toContain(`version ${VERSION} is already installed; nothing was changed\n`);
    expect(said).toContain("removed the program, its settings and its state\n");
    expect(said.match(/No such file/g)).toHaveLength(3);
  });

  test("without the libraries that the program needs it says how to get them, and installs nothing", () => {
    const said = inside(
      "rm /usr/lib/libstdc++.so.6; sh /release/install.sh --no-service || echo code $?; ls /usr/local || true",
    );
    expect(said).toContain("the program does not run here: ");
    expect(said).toContain("It needs libstdc++ and libgcc: apk add libstdc++ libgcc\ncode 1\n");
    expect(said).toContain("/usr/local: No such file");
  });
});
