import { existsSync, writeFileSync } from "node:fs";

/**
 * Named places where the fault suite gets hold of the process (env RUNNER_FAILPOINT, several separated by commas; cmd
 * hands the text in). Without it a fail-point costs one comparison.
 *
 * | spec | at the first (or n-th) time the place is reached |
 * |---|---|
 * | `name`, `name:n` | SIGKILL to ourselves |
 * | `name=pause:FILE`, `name:n=pause:FILE` | FILE.reached is made, then we wait until FILE exists or the work is stopped |
 */
interface Armed {
  left: number;
  /** null: kill. */
  readonly gate: string | null;
}
const armed = new Map<string, Armed>();

export function armFailpoints(spec: string): void {
  for (const part of spec.split(",").filter(Boolean)) {
    const [place = "", deed = ""] = part.split("=");
    const [name = "", count = "1"] = place.split(":");
    armed.set(name, { left: Number(count), gate: deed.startsWith("pause:") ? deed.slice("pause:".length) : null });
  }
}

/** Dies here when told to. */
export function failpoint(name: string): void {
  if (armed.size === 0) return;
  if (armed.get(name)?.gate !== null || !due(name)) return;
  process.kill(process.pid, "SIGKILL");
  // The signal is not delivered synchronously: nothing after this line may run.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

/** Waits here when told to; `signal` is what stops the work of this place. */
export async function pausePoint(name: string, signal?: AbortSignal): Promise<void> {
  if (armed.size === 0) return;
  const gate = armed.get(name)?.gate;
  if (!gate || !due(name)) return;
  writeFileSync(`${gate}.reached`, "");
  while (!existsSync(gate) && !signal?.aborted) await Bun.sleep(20);
}

function due(name: string): boolean {
  const point = armed.get(name);
  if (!point || point.left === 0) return false;
  point.left--;
  return point.left === 0;
}
