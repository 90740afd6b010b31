import { runGroup } from "../../internal/kit/exec/index.ts";
import { inCluster, type SpawnCredential } from "../../internal/kit/kube/index.ts";
import { toolEnv } from "../../internal/kit/tools/index.ts";
import { RunnerError } from "../../internal/protocol/errors.ts";
import type { KubeSettings } from "../../internal/runner/handler.ts";
import type { Context } from "./context.ts";

/** A plug-in that asks a person something would wait for ever. */
const PLUGIN_MS = 60_000;

/** The runner's own cluster, and who may run credential plug-ins. */
export function kubeFor({ values, env, cwd }: Pick<Context, "values" | "env" | "cwd">): KubeSettings {
  const own = Object.entries(env).filter(([name]) => !name.startsWith("RUNNER_"));
  const home = { home: env.HOME ?? "/nonexistent", tmp: env.TMPDIR ?? "/tmp" };
  return {
    kubeconfig: values.kubeconfig,
    pod: () => inCluster(env),
    spawn: spawnWith(Object.fromEntries(own), cwd),
    spawnForJobs: values.kubeExec ? spawnWith(toolEnv(env, home), cwd) : null,
  };
}

function spawnWith(base: Readonly<Record<string, string | undefined>>, cwd: string): SpawnCredential {
  const given = Object.entries(base).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
  return async ([program, ...args], extra) => {
    const env: Readonly<Record<string, string>> = { ...Object.fromEntries(given), ...extra };
    const found = Bun.which(program, { PATH: env.PATH ?? "", cwd });
    if (found === null) throw new RunnerError("environment", `there is no program ${program} on the runner's PATH`);
    const end = await runGroup(AbortSignal.timeout(PLUGIN_MS))([found, ...args], env, cwd);
    if (end.code === 0) return end.stdout;
    const said = end.stderr.trim().split("\n").at(-1)?.slice(0, 300) ?? "";
    throw new RunnerError("job", `${program} exited with ${end.code}${said === "" ? "" : `: ${said}`}`);
  };
}
