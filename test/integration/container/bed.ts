import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findEngine, readProfile } from "../../../internal/kit/containers/index.ts";
import type { ContainerPlan } from "../../../internal/protocol/plans-ours.ts";
import type { ContainerSettings } from "../../../internal/runner/handler.ts";
import { container as handler } from "../../../internal/runner/handlers/container/container.ts";
import { type Engine, engineMissing, startDocker, startPodman } from "../../bed/engines.ts";
import { createHarness, type HarnessOptions } from "../../lib/handler-harness.ts";

export const INSTANCE = "test-instance";
export const BUSYBOX = "localhost/bb:1";

/** Why an engine's tests cannot run here; with CI=true they run and fail. */
export const skipEngine = (name: Engine["name"]): boolean => engineMissing(name) !== null && process.env.CI !== "true";

export const startEngine = (name: Engine["name"]): Promise<Engine> =>
  name === "podman" ? startPodman() : startDocker();

/** The runner's settings with this engine and a profiles file of this text. */
export function settingsFor(engine: Engine, profiles: string | null = null): ContainerSettings & { end(): void } {
  const folder = mkdtempSync(join(tmpdir(), "profiles-"));
  const file = join(folder, "profiles.yaml");
  if (profiles !== null) writeFileSync(file, profiles, { mode: 0o600 });
  const env = { ...process.env, ...engine.env };
  return {
    engine: () => findEngine({ wanted: engine.name, env, uid: process.getuid?.() ?? 0 }),
    profile: (name) => readProfile(profiles === null ? null : file, name, () => profiles ?? ""),
    instance: INSTANCE,
    end: () => rmSync(folder, { recursive: true, force: true }),
  };
}

type Options = Omit<HarnessOptions<ContainerPlan, Record<string, unknown>>, "handler" | "plan" | "containers">;

/** One container job over the harness; `end` removes what the test made around it. */
export function containerJob(
  engine: Engine,
  plan: Partial<ContainerPlan>,
  options: Options & { readonly profiles?: string } = {},
) {
  const { profiles, ...rest } = options;
  const containers = settingsFor(engine, profiles ?? null);
  const harness = createHarness({ handler, plan: { image: BUSYBOX, ...plan }, containers, ...rest });
  return {
    ...harness,
    end() {
      harness.dispose();
      containers.end();
    },
  };
}

/** Names of the engine's containers of this runner, running or not. */
export const left = (engine: Engine): string[] =>
  engine
    .run("ps", "--all", "--filter", `label=dev.runner.instance=${INSTANCE}`, "--format", "{{.Names}}")
    .split("\n")
    .filter((name) => name !== "");
