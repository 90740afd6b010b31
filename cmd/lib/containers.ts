import type { SystemLog } from "../../internal/kit/base/system-log.ts";
import { findEngine, readProfile, sweepContainers } from "../../internal/kit/containers/index.ts";
import type { ContainerSettings } from "../../internal/runner/handler.ts";
import type { Journal } from "../../internal/runner/loop/journal.ts";
import type { Context } from "./context.ts";
import { readFile } from "./read-file.ts";

/** The container engine of this machine and the relaxations its operator approved. */
export function containersFor({ values, env }: Pick<Context, "values" | "env">, instance: string): ContainerSettings {
  const { containerEngine: wanted, containerProfiles: file } = values;
  return {
    engine: () => findEngine({ wanted, env, uid: process.getuid?.() ?? 0 }),
    profile: (name) => readProfile(file, name, (path) => readFile(path, "the container profiles")),
    instance,
  };
}

/**
 * Removes containers that an earlier process of this runner left behind, in the background. What lives on is in the
 * journal. A machine without an engine has none.
 */
export async function sweepLeftContainers(
  containers: ContainerSettings,
  journal: Journal,
  log: SystemLog,
): Promise<void> {
  let engine: ReturnType<ContainerSettings["engine"]>;
  try {
    engine = containers.engine();
  } catch {
    return;
  }
  const lives = (id: string) => journal.executions().some((row) => row.id === id);
  const swept = await sweepContainers(engine, containers.instance, lives);
  if (!swept.ok) log.warn("left containers could not be looked for", { reason: swept.error.message });
  else if (swept.value.length > 0)
    log.info("removed containers of jobs that are over", { containers: swept.value.join(" ") });
}
