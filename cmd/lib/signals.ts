/**
 * Calls the next of `steps` at each signal; the last one again when they are used up. `interrupt` is where SIGINT
 * begins: a person's Ctrl-C may skip the polite steps. A closed terminal (SIGHUP) counts only for `hangup`: a runner
 * started with nohup must outlive it. Answers a function that stops listening.
 */
export function onStop(steps: readonly ((why: string) => void)[], { interrupt = 0, hangup = false } = {}): () => void {
  let next = 0;
  const listener = (signal: NodeJS.Signals) => {
    if (signal === "SIGINT") next = Math.max(next, interrupt);
    steps[Math.min(next, steps.length - 1)]?.(`${signal} received`);
    next += 1;
  };
  const signals = ["SIGINT", "SIGTERM", ...(hangup ? (["SIGHUP"] as const) : [])] as const;
  for (const signal of signals) process.on(signal, listener);
  return () => {
    for (const signal of signals) process.off(signal, listener);
  };
}
