import type { Db } from "./db.ts";

/** In-process wake-ups, sent after the commit that caused them, at most once per topic and turn. */
export interface Wake {
  /** Inside a transaction: a job may be claimable. */
  jobs(): void;
  /** Inside a transaction: this runner has a directive to read. */
  runner(runnerId: string): void;
  onJobs(listener: () => void): () => void;
  onRunner(listener: (runnerId: string) => void): () => void;
}

export function createWake(db: Db): Wake {
  const jobs = new Set<() => void>();
  const runners = new Set<(runnerId: string) => void>();
  let pending = false;
  const announce = () => {
    if (pending) return;
    pending = true;
    queueMicrotask(() => {
      pending = false;
      for (const listener of jobs) listener();
    });
  };
  return {
    jobs: () => db.afterCommit(announce),
    runner: (runnerId) =>
      db.afterCommit(() => {
        for (const listener of runners) listener(runnerId);
      }),
    onJobs: (listener) => {
      jobs.add(listener);
      return () => jobs.delete(listener);
    },
    onRunner: (listener) => {
      runners.add(listener);
      return () => runners.delete(listener);
    },
  };
}
