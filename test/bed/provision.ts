import { buildTimeProvider } from "./provider.ts";

/**
 * What the tests need of the machine besides Bun. Installs nothing on a person's machine unless asked
 * (CI=true or `--install`): then a missing Chromium comes from apt. A provider for Terraform is built with Go into
 * a cache of its own. Terraform is taken from PATH; a test whose component is missing skips itself by name.
 */
const asked = process.env.CI === "true" || process.argv.includes("--install");
const BROWSERS = ["chromium", "chromium-browser", "google-chrome"];

if (asked && !BROWSERS.some((name) => Bun.which(name)) && Bun.which("apt-get")) {
  const apt = (...args: string[]) =>
    Bun.spawnSync(["apt-get", "-qq", ...args], {
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
      stdio: ["ignore", "ignore", "inherit"],
    }).success;
  const done = apt("update") && apt("install", "-y", "--no-install-recommends", "chromium", "fonts-liberation");
  if (!done) console.error("test bed: chromium could not be installed; the tests of the page will be skipped");
}

const missing = buildTimeProvider();
if (missing !== null) console.error(`test bed: ${missing}; the tests with a real provider will be skipped`);
