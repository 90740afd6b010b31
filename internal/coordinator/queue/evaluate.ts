import { JOB_TYPES, type JobGroup, MODE_GROUPS, RUNNER_MODES, type WaitReason } from "../../protocol/enums.ts";
import type { Slots } from "../../protocol/native.ts";

/** What the queue knows of a waiting job. */
export interface JobView {
  readonly id: string;
  readonly type: string;
  readonly group: JobGroup;
  /** Only this runner may take it. */
  readonly runnerId: string | null;
  readonly requires: {
    readonly arch?: string;
    readonly gpus?: number;
    readonly labels?: Readonly<Record<string, string>>;
    readonly native?: boolean;
    readonly plain_http?: boolean;
  };
}

/** What the queue knows of a runner. */
export interface RunnerView {
  readonly id: string;
  readonly live: boolean;
  readonly draining: boolean;
  readonly dialect: "native" | "nuon";
  readonly mode: string;
  /** Capacity per group; for a Go runner the groups it polls, 1 each. */
  readonly slots: Slots;
  /** Groups of a Go runner in which it may still work on a job that the server has ended. */
  readonly stopping: readonly JobGroup[];
  /** Empty: everything of its groups. */
  readonly jobTypes: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly arch: string | null;
  readonly gpus: number;
  /** UUIDs of those that no running execution holds. */
  readonly freeGpus: readonly string[];
}

/** Executions that run now: on this runner, in this group (all groups when left out). */
export type Running = (runnerId: string, group?: JobGroup) => number;

export type Verdict = { readonly offer: true } | { readonly offer: false; readonly reason: WaitReason };

/** Groups of ours that no Go runner knows. */
const OUR_GROUPS: readonly JobGroup[] = ["scripts", "containers", "plugins"];
const NUON_TYPES: readonly string[] = JOB_TYPES.filter((type) => type !== "script" && type !== "container");

/** Reasons by how close the job came: the best one of all runners is shown. */
const CLOSENESS: readonly WaitReason[] = [
  "no_runner_online",
  "runner_draining",
  "no_compatible_runner",
  "no_arch",
  "no_gpu_count",
  "no_label",
  "group_busy",
];

/** Can any runner take this job now? If not, the reason of the runner that came closest. */
export function evaluate(job: JobView, runners: readonly RunnerView[], running: Running): Verdict {
  let best = 0;
  for (const runner of runners) {
    const obstacle = obstacleOf(job, runner) ?? roomFor(job, runner, running);
    if (obstacle === null) return { offer: true };
    best = Math.max(best, CLOSENESS.indexOf(obstacle));
  }
  return { offer: false, reason: CLOSENESS[best] ?? "no_runner_online" };
}

/** Why this runner can never take this job as things are; null when only room is in question. */
export function obstacleOf(job: JobView, runner: RunnerView): WaitReason | null {
  if (job.runnerId !== null && job.runnerId !== runner.id) return "no_runner_online";
  if (!runner.live) return "no_runner_online";
  if (runner.draining) return "runner_draining";
  if (!knowsGroup(job.group, runner) || !knowsType(job, runner)) return "no_compatible_runner";
  if (job.requires.arch !== undefined && runner.arch !== job.requires.arch) return "no_arch";
  if ((job.requires.gpus ?? 0) > runner.gpus) return "no_gpu_count";
  const labels = Object.entries(job.requires.labels ?? {});
  if (labels.some(([key, value]) => runner.labels[key] !== value)) return "no_label";
  return null;
}

/** What the job lacks on this runner for the moment; null: nothing. */
function roomFor(job: JobView, runner: RunnerView, running: Running): WaitReason | null {
  if (!hasRoom(job.group, runner, running)) return "group_busy";
  return hasGpus(job, runner) ? null : "no_gpu_count";
}

const hasGpus = (job: JobView, runner: Pick<RunnerView, "freeGpus">) =>
  (job.requires.gpus ?? 0) <= runner.freeGpus.length;

function knowsGroup(group: JobGroup, runner: RunnerView): boolean {
  if ((runner.slots[group] ?? 0) <= 0) return false;
  if (runner.dialect === "nuon") return !OUR_GROUPS.includes(group);
  const mode = RUNNER_MODES.find((known) => known === runner.mode);
  return mode !== undefined && MODE_GROUPS[mode].includes(group);
}

function knowsType(job: JobView, runner: RunnerView): boolean {
  if (runner.dialect === "nuon") return job.requires.native !== true && NUON_TYPES.includes(job.type);
  return runner.jobTypes.length === 0 || runner.jobTypes.includes(job.type);
}

/**
 * A Go runner shares one workspace folder between its loops, and the start of a job deletes what lies in it: one job at
 * a time, management apart. A job that the server ended counts until the loop that worked on it asks for work again.
 */
export function hasRoom(group: JobGroup, runner: RunnerView, running: Running): boolean {
  if (runner.dialect === "native") return running(runner.id, group) < (runner.slots[group] ?? 0);
  const managed = running(runner.id, "management");
  const stopping = runner.stopping.some((one) => (one === "management") === (group === "management"));
  return !stopping && (group === "management" ? managed === 0 : running(runner.id) - managed === 0);
}

/** A job with the GPUs it gets. */
export interface Picked<Job> {
  readonly job: Job;
  readonly gpus: readonly string[];
}

/**
 * What one claim gets: the oldest jobs first, at most the free slots of each group, each GPU to one job. A job that
 * waits for GPUs lets those behind it pass. `candidates` are one group's waiting jobs in the order of the queue.
 */
export function pickForClaim<Job extends JobView>(
  candidates: Iterable<Job>,
  runner: RunnerView,
  free: number,
): Picked<Job>[] {
  const picked: Picked<Job>[] = [];
  let { freeGpus } = runner;
  if (free <= 0) return picked;
  for (const job of candidates) {
    if (obstacleOf(job, runner) !== null || !hasGpus(job, { freeGpus })) continue;
    const wanted = job.requires.gpus ?? 0;
    picked.push({ job, gpus: freeGpus.slice(0, wanted) });
    freeGpus = freeGpus.slice(wanted);
    if (picked.length >= free) break;
  }
  return picked;
}
