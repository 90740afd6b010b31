import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** A real Terraform provider for the tests: hashicorp/time, built from the Go module proxy (about 20 s, once). */
export const PROVIDER_VERSION = "0.14.2";
const MODULE = "github.com/hashicorp/terraform-provider-time";
const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "runner-test-bed");

/** Where the built program lies; null: it was not built on this machine. */
export function timeProvider(): string | null {
  const path = programPath();
  return existsSync(path) ? path : null;
}

/** Builds it unless that was done before. Answers what is in the way, null when it is there. */
export function buildTimeProvider(): string | null {
  if (timeProvider() !== null) return null;
  const go = Bun.which("go", { PATH: `${process.env.PATH}:/usr/local/go/bin` });
  if (go === null) return "there is no Go";
  const building = join(cache, `building.${process.pid}`);
  mkdirSync(building, { recursive: true });
  const built = Bun.spawnSync([go, "install", "-trimpath", "-ldflags=-s -w", `${MODULE}@v${PROVIDER_VERSION}`], {
    cwd: building,
    env: { ...process.env, GOBIN: building },
    stdio: ["ignore", "ignore", "pipe"],
    timeout: 600_000,
  });
  if (built.success) renameSync(join(building, "terraform-provider-time"), programPath());
  rmSync(building, { recursive: true, force: true });
  return built.success ? null : `go install of ${MODULE} failed: ${built.stderr.toString().trim().split("\n").at(-1)}`;
}

const programPath = () => join(cache, `terraform-provider-time_v${PROVIDER_VERSION}`);
