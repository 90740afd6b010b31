import { buildTimeProvider } from "./provider.ts";

/**
 * What the tests need of the machine besides Bun. Installs nothing on a person's machine unless asked
 * (CI=true or `--install`): then a missing Chromium, zsh or fish comes from apt. A provider for Terraform is built with
 * Go into a cache of its own. Terraform is taken from PATH; a test whose component is missing skips itself by name.
 */
const asked = process.env.CI === "true" || process.argv.includes("--install");
const BROWSERS = ["chromium", "chromium-browser", "google-chrome"];

/** Shells whose completion is tested by themselves. */
const SHELLS = ["zsh", "fish"];

const browser = BROWSERS.some((name) => Bun.which(name)) ? [] : ["chromium", "fonts-liberation"];
const wanted = [...browser, ...SHELLS.filter((name) => !Bun.which(name))];
if (asked && wanted.length > 0 && Bun.which("apt-get")) {
  const apt = (...args: string[]) =>
    Bun.spawnSync(["apt-get", "-qq", ...args], {
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
      stdio: ["ignore", "ignore", "inherit"],
    }).success;
  const done = apt("update") && apt("install", "-y", "--no-install-recommends", ...wanted);
  if (!done) console.error(`test bed: ${wanted.join(", ")} could not be installed; their tests will be skipped`);
}

const missing = buildTimeProvider();
if (missing !== null) console.error(`test bed: ${missing}; the tests with a real provider will be skipped`);
