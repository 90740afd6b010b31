import { z } from "zod";
import { fail, ok, type Result, RunnerError } from "../../protocol/errors.ts";
import { askEngine, type Engine, lastLine } from "./engine.ts";

const inspected = z.object({
  Running: z.boolean(),
  OOMKilled: z.boolean(),
  ExitCode: z.number(),
  Error: z.string().default(""),
  StartedAt: z.string(),
  FinishedAt: z.string(),
});

export interface ContainerState {
  readonly running: boolean;
  /** It was started at some time. */
  readonly started: boolean;
  /** It was seen to end. After a restart of the machine an engine may show one that was running as ended with code 0. */
  readonly finished: boolean;
  /** 128 + n when signal n ended it. */
  readonly exitCode: number;
  readonly outOfMemory: boolean;
  /** The engine's own words, mostly empty. */
  readonly error: string;
}

/** What the engine knows of a container; null: there is none of this name. */
export async function containerState(engine: Engine, name: string): Promise<Result<ContainerState | null>> {
  const asked = await askEngine(engine, ["inspect", "--type", "container", "--format", "{{json .State}}", name]);
  if (!asked.ok) return asked;
  const { code, stdout, stderr } = asked.value;
  if (code !== 0) return /no such (?:container|object)/i.test(stderr) ? ok(null) : fail(odd(engine, lastLine(stderr)));
  try {
    const state = inspected.parse(JSON.parse(stdout));
    return ok({
      running: state.Running,
      started: !state.StartedAt.startsWith("0001-"),
      finished: !state.Running && Date.parse(state.FinishedAt) >= Date.parse(state.StartedAt),
      exitCode: state.ExitCode,
      outOfMemory: state.OOMKilled,
      error: state.Error,
    });
  } catch {
    return fail(odd(engine, "its answer to `inspect` is not understood"));
  }
}

const odd = (engine: Engine, why: string) => new RunnerError("environment", `${engine.name}: ${why}`);

/** Where podman works without root rights, what a container's other users left becomes the runner's own again. */
export async function takeBack(engine: Engine, paths: readonly string[]): Promise<void> {
  if (engine.name !== "podman" || !engine.rootless) return;
  await askEngine(engine, ["unshare", "chown", "-hR", "0:0", ...paths]);
}

/** Ends a container at once, if it runs. */
export async function killContainer(engine: Engine, name: string): Promise<void> {
  await askEngine(engine, ["kill", name]);
}

/** Removes a container and the volumes made for it alone; none of this name is fine. */
export async function removeContainer(engine: Engine, name: string): Promise<Result<void>> {
  const now = engine.name === "podman" ? ["-t", "0"] : [];
  const asked = await askEngine(engine, ["rm", "-f", "-v", ...now, name]);
  if (!asked.ok) return asked;
  const { code, stderr } = asked.value;
  if (code === 0 || /no such container/i.test(stderr)) return ok(undefined);
  return fail(odd(engine, `the container ${name} could not be removed: ${lastLine(stderr)}`));
}
