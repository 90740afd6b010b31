import { chownSync, existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { systemClock } from "../../internal/kit/base/clock.ts";
import { lastLine } from "../../internal/kit/containers/index.ts";
import { leaderWith } from "../../internal/kit/exec/index.ts";
import {
  containerArgs,
  drainSeconds,
  IMAGE_UNIT,
  removeArgs,
  serviceDescription,
} from "../../internal/kit/service/index.ts";
import { fail, ok, RunnerError } from "../../internal/protocol/errors.ts";
import { engineCalls } from "../../internal/runner/supervisor/image-engine.ts";
import { openImageFile } from "../../internal/runner/supervisor/image-file.ts";
import type { Layout } from "../../internal/runner/supervisor/layout.ts";
import { containedPresence } from "../../internal/runner/supervisor/presence.ts";
import { createProcessManager, type ProcessManagerOptions } from "../../internal/runner/supervisor/process-manager.ts";
import type { ServiceManager } from "../../internal/runner/supervisor/service-manager.ts";
import { createSystemdManager } from "../../internal/runner/supervisor/systemd-manager.ts";
import type { Context } from "./context.ts";
import { readFile } from "./read-file.ts";
import { byUnit } from "./releases.ts";
import { engineFor } from "./versions.ts";

/** State directory of the runner that mng looks after. `stateDir`: that of mng. */
const managedStateDir = ({ values }: Context, stateDir: string): string =>
  values.managedStateDir ?? join(dirname(stateDir), values.updateKind === "image" ? "image" : "install");

/** Output of the runner where a command that ends had to start it: beside mng's journal, for want of a service. */
const OUTPUT = "runner.log";

/** How the runner of this machine is started and stopped. `stateDir`: that of mng. `lasts`: this process looks after it. */
export function managerFor(
  context: Context,
  stateDir: string,
  layout: Layout,
  { lasts }: { readonly lasts: boolean },
): ServiceManager {
  const { values } = context;
  const managed = managedStateDir(context, stateDir);
  const image = values.updateKind === "image";
  if (!byUnit(context)) {
    const output = lasts ? {} : { output: join(stateDir, OUTPUT) };
    return createProcessManager({
      ...(image ? containerOf(context, managed) : programOf(context, managed, layout)),
      ...output,
      clock: systemClock,
      log: context.log,
    });
  }
  const unit = values.serviceUnit ?? (image ? `${IMAGE_UNIT}.service` : "runner.service");
  if (!image) return createSystemdManager(unit, systemClock);
  const engine = engineFor(context);
  const ask = engineCalls(engine, "systemd");
  return createSystemdManager(unit, systemClock, {
    presence: containedPresence(managed),
    kill: async () => void (await ask(removeArgs(engine().name, IMAGE_UNIT))),
  });
}

/** Settings of mng itself, which the runner that it starts must not take for its own. */
const OWN = ["RUNNER_MODE", "RUNNER_STATE_DIR", "RUNNER_HEALTH_LISTEN", "RUNNER_FAILPOINT"];
const OF_SUPERVISOR = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "INVOCATION_ID", "JOURNAL_STREAM"];

type HowToRun = Omit<ProcessManagerOptions, "output" | "clock" | "log">;

function programOf({ values, env, version }: Context, managed: string, layout: Layout): HowToRun {
  const kept = Object.entries(env).filter(([name]) => !OWN.includes(name) && !OF_SUPERVISOR.includes(name));
  const program = () => (layout.pointers().current === null ? process.execPath : layout.program);
  return {
    stateDir: managed,
    argv: () => [program(), ...ownScript(version), "run", "--mode", "install", "--state-dir", managed],
    env: () => ({ ...Object.fromEntries(kept), ...envOf(values.managedEnv) }),
  };
}

/** By it the engine's process is found again before the runner in it has begun. */
const MARK = "RUNNER_CONTAINED";

/** The container as a child of ours, by the engine's command line; it outlives us. */
function containerOf(context: Context, managed: string): HowToRun {
  const { values, env } = context;
  const engine = engineFor(context);
  const ask = engineCalls(engine, "itself");
  const file = openImageFile(values.imageFile);
  const cacheDir = join(managed, "..", `${IMAGE_UNIT}-cache`);
  const mark = `${MARK}=${managed}`;
  const given = () => ({
    ...(env.RUNNER_API_URL === undefined ? {} : { RUNNER_API_URL: env.RUNNER_API_URL }),
    ...envOf(values.managedEnv),
  });
  return {
    stateDir: managed,
    presence: containedPresence(managed),
    left: () => leaderWith([mark]),
    argv() {
      for (const folder of [managed, cacheDir]) forImage(folder);
      const { name, program } = engine();
      const image = file.read().current ?? "";
      // Values stay out of the command line, which everybody can read.
      const flags = Object.keys(given()).map((key) => `--env=${key}`);
      const wish = { engine: name, name: IMAGE_UNIT, mode: "install", image, stateDir: managed, cacheDir, flags };
      const script = '"$0" $RUNNER_REMOVE >/dev/null 2>&1; unset RUNNER_REMOVE; exec "$0" "$@"';
      return ["/bin/sh", "-c", script, program, ...containerArgs(wish)];
    },
    env: () => ({
      ...engine().env,
      ...given(),
      [MARK]: managed,
      RUNNER_REMOVE: removeArgs(engine().name, IMAGE_UNIT).join(" "),
    }),
    async end(how) {
      const args = how === "drain" ? ["stop", IMAGE_UNIT] : removeArgs(engine().name, IMAGE_UNIT);
      const end = await ask(args, { ms: (drainSeconds() + 60) * 1_000 });
      if (!end.ok) return end;
      const { code, stderr } = end.value;
      if (code === 0 || /no such container|no container with/i.test(stderr)) return ok(undefined);
      return fail(new RunnerError("environment", `the container ${IMAGE_UNIT} does not stop: ${lastLine(stderr)}`));
    },
  };
}

/** The image's user writes there. */
function forImage(folder: string): void {
  if (existsSync(folder)) return;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { user } = serviceDescription().container;
  if (process.getuid?.() === 0) chownSync(folder, user, user);
}

/** NAME=VALUE lines as a unit's EnvironmentFile has them. Throws RunnerError usage. */
function envOf(path: string | null): Record<string, string> {
  if (path === null) return {};
  const found: Record<string, string> = {};
  for (const line of readFile(path, "environment file").split("\n")) {
    const [, name, value = ""] = /^\s*([A-Za-z_][A-Za-z0-9_]*)=(.*)$/.exec(line) ?? [];
    if (name !== undefined) found[name] = value.trim().replace(/^(["'])(.*)\1$/, "$2");
  }
  return found;
}

/** Run from source the program is bun, and the script comes first. */
const ownScript = (version: string): string[] => (version.endsWith("+source") ? [Bun.main] : []);
