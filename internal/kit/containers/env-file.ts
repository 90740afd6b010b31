import { RunnerError } from "../../protocol/errors.ts";
import type { Engine } from "./engine.ts";

/** How variables reach a container without ever being arguments. */
export interface EnvCarriers {
  /** Text of a file for --env-file. */
  readonly file: string;
  /** Names whose values only the engine's own environment can carry: those of several lines. */
  readonly passed: Readonly<Record<string, string>>;
}

/** Engines read an env file by lines of at most 64 KiB. */
const LONGEST_LINE = 32_768;
/** These would change the engine's own client. */
const CLIENTS_OWN =
  /^(?:HOME|PATH|SHELL|TMPDIR|LANG|_|LC_.*|LD_.*|GO.*|XDG_.*|DOCKER_.*|CONTAINERS?_.*|REGISTRY_.*|STORAGE_.*|BUILDAH_.*|PODMAN_.*|DBUS_.*|SSL_.*|SSH_.*|RUNNER_.*|.*_PROXY|.*_proxy)$/;
const NAME = /^[A-Za-z_][A-Za-z0-9_.-]*$/;

/** Throws RunnerError job for a name or value no container can have. */
export function envCarriers(engine: Pick<Engine, "env">, variables: Readonly<Record<string, string>>): EnvCarriers {
  const lines: string[] = [];
  const passed: Record<string, string> = {};
  for (const [name, value] of Object.entries(variables)) {
    const fault = (why: string) => new RunnerError("job", `the environment variable ${JSON.stringify(name)} ${why}`);
    if (!NAME.test(name)) throw fault("is not a name");
    if (value.includes("\0")) throw fault("has a NUL byte in its value");
    if (!/[\r\n]/.test(value) && name.length + value.length < LONGEST_LINE) lines.push(`${name}=${value}\n`);
    else if (Object.hasOwn(engine.env, name) || CLIENTS_OWN.test(name)) {
      throw fault("cannot have a value of several lines or of 32 KiB: it is also a setting of the engine; use `files`");
    } else passed[name] = value;
  }
  return { file: lines.join(""), passed };
}
