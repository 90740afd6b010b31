import { existsSync } from "node:fs";
import { fetchDefinitions } from "./definitions.ts";
import { buildGoProgram } from "./go-program.ts";
import { APT_PACKAGES, GO_PROGRAMS, type GoProgramName } from "./manifest.ts";
import { installMoto } from "./moto.ts";
import { makeMuslRoot } from "./musl-root.ts";
import { makeCrun } from "./nested-podman.ts";
import { makeSystemdRoot } from "./systemd.ts";

/**
 * What the tests need of the machine besides Bun (manifest.ts). Debian's packages are installed only when asked (CI=true
 * or `--install`): a person's machine is left as it is, and a test whose component is missing skips itself by name.
 * Programs in Go are built once into a cache, one at a time (one build takes up to 2.3 GB of memory).
 */
const asked = process.env.CI === "true" || process.argv.includes("--install");
const isThere = (mark: string) => (mark.startsWith("/") ? existsSync(mark) : Bun.which(mark) !== null);

const wanted = Object.entries(APT_PACKAGES).flatMap(([name, mark]) => (isThere(mark) ? [] : [name]));
if (wanted.length > 0 && asked && Bun.which("apt-get")) {
  const apt = (...args: string[]) =>
    Bun.spawnSync(["apt-get", "-qq", ...args], {
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
      stdio: ["ignore", "ignore", "inherit"],
    }).success;
  timed(`apt: ${wanted.join(", ")}`, () => {
    const done = apt("update") && apt("install", "-y", "--no-install-recommends", ...wanted);
    return done ? null : `${wanted.join(", ")} could not be installed`;
  });
} else if (wanted.length > 0) {
  console.error(`test bed: no ${wanted.join(", ")}; what needs them is skipped (CI=true npm test installs them)`);
}

for (const name of Object.keys(GO_PROGRAMS) as GoProgramName[]) timed(name, () => buildGoProgram(name));
timed("definitions of other people's kinds", fetchDefinitions);
timed("moto", installMoto);
timed("a root with musl", makeMuslRoot);
timed("a Debian with systemd", makeSystemdRoot);
timed("crun", makeCrun);

function timed(what: string, work: () => string | null): void {
  const begun = performance.now();
  const fault = outcomeOf(work);
  const seconds = (performance.now() - begun) / 1000;
  if (fault !== null) console.error(`test bed: ${fault}; its tests are skipped (a failure with CI=true)`);
  else if (seconds > 1) console.error(`test bed: ${what} in ${seconds.toFixed(0)} s`);
}

function outcomeOf(work: () => string | null): string | null {
  try {
    return work();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
