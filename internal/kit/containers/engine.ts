import { fail, ok, type Result, RunnerError, reasonOf } from "../../protocol/errors.ts";
import { type RunResult, runGroup } from "../exec/index.ts";

const ENGINES = ["podman", "docker"] as const;
export type EngineName = (typeof ENGINES)[number];

/** A container engine, reached by its command line. */
export interface Engine {
  readonly name: EngineName;
  /** Absolute path. */
  readonly program: string;
  /** What the program needs of the operator's environment: where its store, socket and settings are. */
  readonly env: Readonly<Record<string, string>>;
  /** Works without root rights: numbers of users inside differ from those outside. */
  readonly rootless: boolean;
}

/** Names of the runner's own environment that tell an engine where it lives. None of them reaches a container. */
const PASSED =
  /^(?:HOME|PATH|LANG|XDG_[A-Z_]+|CONTAINER_HOST|CONTAINER_SSHKEY|CONTAINERS_[A-Z_]+|DOCKER_(?:HOST|CERT_PATH|TLS_VERIFY|TLS|API_VERSION)|DBUS_SESSION_BUS_ADDRESS|TMPDIR|HTTPS?_PROXY|NO_PROXY|https?_proxy|no_proxy)$/;

/** The engine of this machine: the one that is wanted, else podman, else docker. Throws RunnerError environment. */
export function findEngine(input: {
  readonly wanted: EngineName | null;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
}): Engine {
  const { wanted, env, uid } = input;
  const PATH = env.PATH ?? "";
  for (const name of wanted === null ? ENGINES : [wanted]) {
    const program = Bun.which(name, { PATH });
    if (program === null) continue;
    const passed = Object.entries(env).filter((pair): pair is [string, string] => PASSED.test(pair[0]) && !!pair[1]);
    return { name, program, env: Object.fromEntries(passed), rootless: uid !== 0 };
  }
  const what = wanted === null ? "neither podman nor docker is on the PATH" : `${wanted} is not on the PATH`;
  throw new RunnerError("environment", `no container runtime found: ${what}`, {
    remedy:
      "Install one (`apt-get install podman`, `dnf install podman`, or docs.docker.com/engine/install) and start the runner again; --container-engine chooses between two.",
  });
}

/** Longest that a question to an engine may take. */
const ASK_MS = 60_000;

/** One short command of the engine, to its end. An engine that does not answer is an error of kind environment. */
export async function askEngine(
  engine: Engine,
  args: readonly string[],
  env: Readonly<Record<string, string>> = engine.env,
): Promise<Result<RunResult>> {
  const signal = AbortSignal.timeout(ASK_MS);
  let end: RunResult;
  try {
    end = await runGroup(signal)([engine.program, ...args], env, "/");
  } catch (error) {
    return fail(unanswered(engine, reasonOf(error)));
  }
  if (signal.aborted) return fail(unanswered(engine, `no answer to \`${args[0]}\` in ${ASK_MS / 1000} s`));
  if (end.code !== 0 && saysEngineGone(end.stderr)) return fail(unanswered(engine, lastLine(end.stderr)));
  return ok(end);
}

export function unanswered(engine: Engine, why: string): RunnerError {
  const { name } = engine;
  return new RunnerError("environment", `${name} does not answer: ${why}`, {
    remedy:
      name === "docker"
        ? "Check `docker version` as the runner's user; a service may use docker after `runner service install --with docker`."
        : "Check `podman info` as the runner's user; a service may use podman after `runner service install --with podman`.",
  });
}

/** An engine's client says that it cannot reach its daemon. */
export function saysEngineGone(text: string): boolean {
  return /cannot connect to (?:the docker daemon|podman)|permission denied while trying to connect to the docker|is the docker daemon running|error during connect|unexpected EOF|connection reset by peer.*docker/i.test(
    text,
  );
}

/** The last line that is not empty, without the client's `Error:`. */
export function lastLine(text: string): string {
  const lines = text.split("\n").map((line) => line.trim());
  const last = lines.filter((line) => line !== "").at(-1) ?? "";
  return last.replace(/^(?:Error: |Error response from daemon: )+/, "").slice(0, 400);
}
