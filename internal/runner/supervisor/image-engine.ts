import { type Engine, lastLine, saysEngineGone, unanswered } from "../../kit/containers/index.ts";
import { type RunResult, runGroup } from "../../kit/exec/index.ts";
import { fail, ok, type Result, RunnerError, reasonOf } from "../../protocol/errors.ts";

/** One command of an engine to its end, at most `ms` long; `env` beside the engine's own. */
export type AskEngine = (
  args: readonly string[],
  options?: { readonly ms?: number; readonly env?: Readonly<Record<string, string>> },
) => Promise<Result<RunResult>>;

const ASK_MS = 60_000;

/**
 * `through`: by systemd, outside of the sandbox of our own unit, in which podman could not work. Error environment: the
 * engine is not there, or does not answer.
 */
export function engineCalls(find: () => Engine, through: "systemd" | "itself"): AskEngine {
  return async (args, { ms = ASK_MS, env: extra = {} } = {}) => {
    const signal = AbortSignal.timeout(ms);
    try {
      const engine = find();
      const env = { ...engine.env, ...extra };
      const argv = [...(through === "systemd" ? unitArgv(Object.keys(env), ms) : []), engine.program, ...args];
      const end = await runGroup(signal)(argv, env, "/");
      if (signal.aborted) return fail(unanswered(engine, `no answer to \`${args[0]}\` in ${ms / 1000} s`));
      if (end.code !== 0 && saysEngineGone(end.stderr)) return fail(unanswered(engine, lastLine(end.stderr)));
      return ok(end);
    } catch (cause) {
      if (cause instanceof RunnerError) return fail(cause);
      return fail(
        new RunnerError("environment", `the container engine cannot be asked: ${reasonOf(cause)}`, { cause }),
      );
    }
  };
}

function unitArgv(names: readonly string[], ms: number): string[] {
  return [
    "systemd-run",
    ...["--quiet", "--pipe", "--wait", "--collect", `--property=RuntimeMaxSec=${Math.ceil(ms / 1000)}`],
    // Taken from our own: values (of a proxy, say) stay out of the command line, which everybody can read.
    ...names.map((name) => `--setenv=${name}`),
    "--",
  ];
}
