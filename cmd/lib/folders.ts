import { join } from "node:path";

/** What decides where things lie on this machine. */
export interface Home {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
}

/** Base of state directories: `/var/lib/runner` as root, else `$XDG_STATE_HOME/runner` or `~/.local/state/runner`. */
export function stateBase({ env, uid }: Home): string {
  if (uid === 0) return "/var/lib/runner";
  return join(env.XDG_STATE_HOME || join(env.HOME || "/tmp", ".local/state"), "runner");
}

/** Cache of fetched tools: `runner/tools` in `$XDG_CACHE_HOME`, else in `~/.cache`. */
export function toolsFolder({ env }: Pick<Home, "env">): string {
  return join(env.XDG_CACHE_HOME || join(env.HOME || "/tmp", ".cache"), "runner", "tools");
}
