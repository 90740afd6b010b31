/** Signals that ask a process to stop. */
type Stop = "SIGINT" | "SIGTERM" | "SIGHUP";

/**
 * Calls the next of `steps` at each signal; the last one again when they are used up. `interrupt` is where SIGINT
 * begins: a person's Ctrl-C may skip the polite steps. Answers a function that stops listening.
 */
export function onStop(steps: readonly ((why: string) => void)[], interrupt = 0): () => void {
  let next = 0;
  const listener = (signal: NodeJS.Signals) => {
    if (signal === "SIGINT") next = Math.max(next, interrupt);
    steps[Math.min(next, steps.length - 1)]?.(`${signal} received`);
    next += 1;
  };
  const signals: readonly Stop[] = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) process.on(signal, listener);
  return () => {
    for (const signal of signals) process.off(signal, listener);
  };
}
