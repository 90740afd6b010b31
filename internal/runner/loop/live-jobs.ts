import type { SystemLog } from "../../kit/base/system-log.ts";
import type { StopReason } from "../handler.ts";
import { type Begin, beginExecution, type ExecutionDeps, type LiveExecution } from "./execution.ts";
import type { SlotPool } from "./slots.ts";

/** The executions of this process, from their begin until they are reported and cleaned up. */
export interface LiveJobs {
  begin(what: Begin): LiveExecution;
  get(executionId: string): LiveExecution | undefined;
  all(): LiveExecution[];
  /** Also what is granted in the same moment. */
  stopAll(reason: StopReason): void;
  /** Resolves when none is left. */
  empty(): Promise<void>;
}

export interface LiveJobsDeps {
  readonly shared: ExecutionDeps;
  readonly slots: SlotPool;
  readonly log: SystemLog;
  /** A lease is held from now on. */
  readonly began: () => void;
  /** The first job has begun, or the last one is over. */
  readonly occupied: (busy: boolean) => void;
}

export function createLiveJobs({ shared, slots, log, began, occupied }: LiveJobsDeps): LiveJobs {
  const live = new Map<string, LiveExecution>();
  let stopped: StopReason | null = null;
  let waiting: (() => void)[] = [];

  const settled = (id: string, job: string) => {
    live.delete(id);
    log.debug("job is over", { job, execution: id });
    if (live.size > 0) return;
    occupied(false);
    for (const tell of waiting) tell();
    waiting = [];
  };

  return {
    begin(what) {
      const execution = beginExecution(shared, what);
      const { id } = execution.ref;
      const { job } = what.work;
      live.set(id, execution);
      occupied(true);
      if (stopped) execution.stop(stopped);
      slots.take(what.group);
      began();
      log.debug("job begins", { job: job.id, type: job.type, execution: id });
      void execution.over.then(() => slots.give(what.group));
      void execution.settled.then(() => settled(id, job.id));
      return execution;
    },
    get: (id) => live.get(id),
    all: () => [...live.values()],
    stopAll(reason) {
      stopped = reason;
      for (const execution of live.values()) execution.stop(reason);
    },
    empty: () =>
      new Promise((resolve) => {
        if (live.size === 0) resolve();
        else waiting.push(resolve);
      }),
  };
}
