import type { JobGroup } from "../../protocol/enums.ts";
import type { Slots } from "../../protocol/native.ts";
import type { LiveExecution } from "./execution.ts";

/** What runs now, as `/status` shows it. Times are RFC 3339. */
export interface ExecutionStatusView {
  readonly id: string;
  readonly job: string;
  readonly type: string;
  readonly group: JobGroup;
  readonly epoch: number;
  readonly status: string;
  /** Lifecycle step. */
  readonly phase: string;
  /** Step of the work that runs now; null: none. */
  readonly step: string | null;
  readonly started_at: string;
}

export function executionViews(live: Iterable<LiveExecution>): ExecutionStatusView[] {
  return [...live].map((execution) => {
    const { status, phase, steps } = execution.progress();
    return {
      id: execution.ref.id,
      job: execution.ref.jobId,
      type: execution.jobType,
      group: execution.group,
      epoch: execution.ref.epoch,
      status,
      phase,
      step: steps.find((one) => one.status === "in-progress")?.name ?? null,
      started_at: new Date(execution.startedMs).toISOString(),
    };
  });
}

export interface SlotView {
  readonly slots: number;
  readonly free: number;
}

export function slotViews(capacity: Slots, free: Slots): Partial<Record<JobGroup, SlotView>> {
  const groups = Object.keys(capacity) as JobGroup[];
  return Object.fromEntries(groups.map((group) => [group, { slots: capacity[group] ?? 0, free: free[group] ?? 0 }]));
}
