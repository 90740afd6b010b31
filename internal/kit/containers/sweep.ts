import { ok, type Result } from "../../protocol/errors.ts";
import { removeContainer } from "./container-state.ts";
import { askEngine, type Engine } from "./engine.ts";

/** Labels of every container a runner makes. */
export const INSTANCE_LABEL = "dev.runner.instance";
export const EXECUTION_LABEL = "dev.runner.execution";

/**
 * Removes what earlier processes of this instance left: its own containers whose execution is over. `lives` is asked
 * after the list was made, so a job that begins meanwhile keeps its own. Names of those removed.
 */
export async function sweepContainers(
  engine: Engine,
  instance: string,
  lives: (executionId: string) => boolean,
): Promise<Result<readonly string[]>> {
  const format = `{{.Names}}\t{{index .Labels "${EXECUTION_LABEL}"}}`;
  const docker = `{{.Names}}\t{{.Label "${EXECUTION_LABEL}"}}`;
  const filter = `label=${INSTANCE_LABEL}=${instance}`;
  const asked = await askEngine(engine, [
    "ps",
    "--all",
    "--filter",
    filter,
    "--format",
    engine.name === "podman" ? format : docker,
  ]);
  if (!asked.ok) return asked;
  const removed: string[] = [];
  for (const line of asked.value.stdout.split("\n")) {
    const [name = "", execution = ""] = line.trim().split("\t");
    if (name === "" || execution === "" || lives(execution)) continue;
    const gone = await removeContainer(engine, name);
    if (!gone.ok) return gone;
    removed.push(name);
  }
  return ok(removed);
}
