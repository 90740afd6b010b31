/**
 * Named places where the fault suite kills the process with SIGKILL (env RUNNER_FAILPOINT=`name` or `name:n` for the
 * n-th time it is reached; several separated by commas). cmd hands the text in; without it a fail-point costs one
 * comparison.
 */
const armed = new Map<string, number>();

export function armFailpoints(spec: string): void {
  for (const part of spec.split(",").filter(Boolean)) {
    const [name, count] = part.split(":");
    if (name) armed.set(name, Number(count ?? 1));
  }
}

export function failpoint(name: string): void {
  if (armed.size === 0) return;
  const left = armed.get(name);
  if (left === undefined) return;
  if (left > 1) {
    armed.set(name, left - 1);
    return;
  }
  process.kill(process.pid, "SIGKILL");
  // The signal is not delivered synchronously: nothing after this line may run.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}
