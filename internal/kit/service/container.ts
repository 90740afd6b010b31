import { serviceDescription } from "./description.ts";

/** A runner as a container of this machine, for its unit and for mng alike. */
export interface ContainerWish {
  readonly engine: "podman" | "docker";
  readonly name: string;
  readonly mode: string;
  readonly image: string;
  /** Folders of this machine, which belong to the user of the image. */
  readonly stateDir: string;
  readonly cacheDir: string;
  /** More for the engine: environment, mounts. */
  readonly flags: readonly string[];
}

/** Longest time between a request to stop and the end, seconds: running jobs may end first. */
export const drainSeconds = (): number => serviceDescription().drain.timeout + serviceDescription().drain.grace;

/** Arguments of the engine that start it in the foreground. Nothing of it is written but state, cache and /tmp. */
export function containerArgs(wish: ContainerWish): string[] {
  const { engine, name, mode, image, stateDir, cacheDir, flags } = wish;
  const { drain, container } = serviceDescription();
  return [
    "run",
    "--rm",
    `--name=${name}`,
    "--network=host",
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    // Its output is that of the engine's own process already.
    "--log-driver=none",
    // Whoever stops it, with whatever command: it drains.
    `--stop-timeout=${drainSeconds()}`,
    `--env=RUNNER_DRAIN_TIMEOUT=${drain.timeout}s`,
    `--volume=${stateDir}:${container.home}/${mode}`,
    `--volume=${cacheDir}:${container.home}/.cache`,
    ...(engine === "podman" ? [`--pids-limit=${serviceDescription().limits.tasks}`] : []),
    ...flags,
    image,
    "run",
    `--mode=${mode}`,
    `--state-dir=${container.home}/${mode}`,
  ];
}

/** What an end without warning left under this name. */
export const removeArgs = (engine: ContainerWish["engine"], name: string): string[] =>
  engine === "podman" ? ["rm", "--force", "--time=0", name] : ["rm", "--force", name];
