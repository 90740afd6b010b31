import type { Engine } from "./engine.ts";

/**
 * Keeps a client attached to a container and turns TERM into the engine's own way to stop one (the image's stop signal,
 * a grace, KILL). The client is in a session of its own: the TERM of the cancel ladder, which goes to the whole group,
 * must not end it before the container's last lines. Its stderr, which is the container's, goes to a file apart.
 */
const SUPERVISE = `engine=$1 name=$2 grace=$3 errors=$4; shift 4
own=; command -v setsid >/dev/null 2>&1 && own=setsid
stop() { "$engine" stop -t "$grace" "$name" >/dev/null 2>&1 & }
trap stop TERM INT
$own "$engine" "$@" "$name" 2>>"$errors" &
client=$!
while :; do wait "$client"; code=$?; kill -0 "$client" 2>/dev/null || break; done
exit "$code"`;

export interface Supervision {
  readonly name: string;
  /** Seconds between the container's stop signal and KILL. */
  readonly graceSeconds: number;
  /** File that gets the container's stderr. */
  readonly errors: string;
  /** `start`: for the first time; `attach`: to one that runs. */
  readonly how: "start" | "attach";
}

export function superviseArgv(
  { program }: Engine,
  { name, graceSeconds, errors, how }: Supervision,
): [string, ...string[]] {
  const attach = how === "start" ? ["start", "--attach"] : ["attach", "--no-stdin"];
  return ["/bin/sh", "-c", SUPERVISE, "sh", program, name, String(graceSeconds), errors, ...attach];
}
