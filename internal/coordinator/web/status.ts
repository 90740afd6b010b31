import type { ChangeStatus, JobStatus, StepStatus, WaitReason } from "../../protocol/enums.ts";

/** What a status means to the eye; the word always stands beside the colour. */
export type Tone = "idle" | "info" | "live" | "ok" | "bad" | "warn";

interface Look {
  readonly tone: Tone;
  readonly label: string;
}

const STATUS: Record<JobStatus | ChangeStatus, Look> = {
  queued: { tone: "idle", label: "queued" },
  available: { tone: "info", label: "available" },
  "in-progress": { tone: "live", label: "in progress" },
  finished: { tone: "ok", label: "finished" },
  failed: { tone: "bad", label: "failed" },
  "timed-out": { tone: "bad", label: "timed out" },
  "not-attempted": { tone: "idle", label: "not attempted" },
  cancelled: { tone: "idle", label: "cancelled" },
  unknown: { tone: "idle", label: "unknown" },
  planning: { tone: "live", label: "planning" },
  "approval-awaiting": { tone: "warn", label: "needs approval" },
  "approval-denied": { tone: "bad", label: "rejected" },
  "approval-expired": { tone: "bad", label: "approval expired" },
  applying: { tone: "live", label: "applying" },
};

const STEP: Record<StepStatus, Look> = {
  pending: { tone: "idle", label: "pending" },
  "in-progress": { tone: "live", label: "running" },
  finished: { tone: "ok", label: "done" },
  error: { tone: "bad", label: "failed" },
  "timed-out": { tone: "bad", label: "timed out" },
};

export const CONTACT: Record<"online" | "suspect" | "offline" | "never", Look> = {
  online: { tone: "ok", label: "online" },
  suspect: { tone: "warn", label: "suspect" },
  offline: { tone: "bad", label: "offline" },
  never: { tone: "idle", label: "never seen" },
};

export const jobLook = (status: JobStatus | ChangeStatus): Look => STATUS[status];
export const stepLook = (status: StepStatus): Look => STEP[status];

/** Reasons for waiting in words, with what to do about them. */
const WAITING: Record<WaitReason, string> = {
  no_runner_online: "No runner is online. Start one with `runner run`.",
  no_compatible_runner: "No online runner takes this type of job.",
  no_arch: "No online runner has the architecture it asks for.",
  no_gpu_count: "No online runner has enough GPUs.",
  no_label: "No online runner has the labels it asks for.",
  group_busy: "All slots of its group are busy; it starts when one is free.",
  paused: "Its queue is paused.",
  parked: "Parked for a person: look at the timeline, then retry or cancel it.",
  runner_draining: "The only runner for it is draining.",
};

/** The sentence for a reason; reasons of an end are sentences already. */
export function reasonWords(reason: string): string {
  return Object.entries(WAITING).find(([name]) => name === reason)?.[1] ?? reason;
}

/** The wire's operations in words. */
const OPERATION: Readonly<Record<string, string>> = {
  exec: "run",
  build: "build",
  "create-apply-plan": "plan",
  "create-teardown-plan": "plan to destroy",
  "apply-plan": "apply",
};
export const operationWords = (operation: string): string => OPERATION[operation] ?? operation;

/** A filter of the job list, in the URL as `?status=`; it stands for the statuses that the list is asked for. */
interface StatusFilter {
  readonly id: string;
  readonly label: string;
  readonly statuses: readonly (JobStatus | ChangeStatus)[];
  /** Offered only when an address asks for it. */
  readonly hidden?: boolean;
}

export const FILTERS: readonly StatusFilter[] = [
  { id: "", label: "All", statuses: [] },
  {
    id: "active",
    label: "Active",
    statuses: ["queued", "available", "in-progress", "planning", "approval-awaiting", "applying", "unknown"],
    hidden: true,
  },
  { id: "waiting", label: "Waiting", statuses: ["queued", "available", "unknown"] },
  { id: "running", label: "Running", statuses: ["in-progress", "planning", "applying"] },
  { id: "approval", label: "Needs approval", statuses: ["approval-awaiting"] },
  { id: "finished", label: "Finished", statuses: ["finished"] },
  { id: "failed", label: "Failed", statuses: ["failed", "timed-out", "approval-denied", "approval-expired"] },
  { id: "cancelled", label: "Cancelled", statuses: ["cancelled", "not-attempted"] },
];
