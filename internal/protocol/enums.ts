import { z } from "zod";

/** Enumerations of the wire (nuon-runner-api.md section 3) and our own additions (DESIGN section 5). */

export const JOB_STATUSES = [
  "queued",
  "available",
  "in-progress",
  "finished",
  "failed",
  "timed-out",
  "not-attempted",
  "cancelled",
  "unknown",
] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];
export const jobStatus = z.enum(JOB_STATUSES);

export const EXECUTION_STATUSES = [
  "pending",
  "initializing",
  "in-progress",
  "cleaning-up",
  "finished",
  "failed",
  "timed-out",
  "not-attempted",
  "cancelled",
  "unknown",
] as const;
export type ExecutionStatus = (typeof EXECUTION_STATUSES)[number];
export const executionStatus = z.enum(EXECUTION_STATUSES);

/** How an execution can end. The runner never writes `not-attempted` to a foreign server. */
export const OUTCOME_STATUSES = ["finished", "failed", "timed-out", "cancelled", "not-attempted"] as const;
export type OutcomeStatus = (typeof OUTCOME_STATUSES)[number];
export const outcomeStatus = z.enum(OUTCOME_STATUSES);

export function isTerminal(status: JobStatus | ExecutionStatus): status is OutcomeStatus {
  return (OUTCOME_STATUSES as readonly string[]).includes(status);
}

/** States of a change (plan job, approval, apply job under one id); the terminal ones are those of a job. */
export const CHANGE_STATUSES = [
  "planning",
  "approval-awaiting",
  "approval-denied",
  "approval-expired",
  "applying",
  "finished",
  "failed",
  "timed-out",
  "cancelled",
  "not-attempted",
] as const;
export type ChangeStatus = (typeof CHANGE_STATUSES)[number];
export const changeStatus = z.enum(CHANGE_STATUSES);

/** Whether a job or change has ended: nothing will happen to it any more. */
export function hasEnded(status: JobStatus | ChangeStatus): boolean {
  return (
    status === "approval-denied" ||
    status === "approval-expired" ||
    (OUTCOME_STATUSES as readonly string[]).includes(status)
  );
}

/** Status of a step of the work: of an action run (wire) and of a tool run. */
export const STEP_STATUSES = ["pending", "in-progress", "finished", "error", "timed-out"] as const;
export type StepStatus = (typeof STEP_STATUSES)[number];
export const stepStatus = z.enum(STEP_STATUSES);

export const JOB_OPERATIONS = [
  "exec",
  "build",
  "create-apply-plan",
  "create-teardown-plan",
  "apply-plan",
  "unknown",
] as const;
export type JobOperation = (typeof JOB_OPERATIONS)[number];
export const jobOperation = z.enum(JOB_OPERATIONS);

/** Job groups; `scripts`, `containers` and `plugins` are ours and never offered to a Go runner. */
export const JOB_GROUPS = [
  "health-checks",
  "sync",
  "build",
  "deploy",
  "sandbox",
  "runner",
  "operations",
  "management",
  "actions",
  "scripts",
  "containers",
  "plugins",
] as const;
export type JobGroup = (typeof JOB_GROUPS)[number];
export const jobGroup = z.enum(JOB_GROUPS);

/** Every job type with the group it is created in. `satisfies` in the registry makes this list complete. */
export const JOB_TYPE_GROUP = {
  "actions-workflow": "actions",
  script: "scripts",
  container: "containers",
  "terraform-deploy": "deploy",
  "helm-chart-deploy": "deploy",
  "kubernetes-manifest-deploy": "deploy",
  "job-deploy": "deploy",
  "noop-deploy": "deploy",
  "sandbox-terraform": "sandbox",
  "sandbox-terraform-plan": "sandbox",
  "sandbox-sync-secrets": "sandbox",
  "docker-build": "build",
  "container-image-build": "build",
  "helm-chart-build": "build",
  "terraform-module-build": "build",
  "kubernetes-manifest-build": "build",
  "noop-build": "build",
  "oci-sync": "sync",
  "noop-sync": "sync",
  "runner-helm": "runner",
  "runner-terraform": "runner",
  "runner-local": "runner",
  "health-check": "operations",
  "shut-down": "operations",
  "update-version": "operations",
  noop: "operations",
  "mng-shut-down": "management",
  "mng-vm-shut-down": "management",
  "mng-runner-update-version": "management",
  "mng-runner-restart": "management",
} as const satisfies Record<string, JobGroup>;
export type JobType = keyof typeof JOB_TYPE_GROUP;
export const JOB_TYPES = Object.keys(JOB_TYPE_GROUP) as [JobType, ...JobType[]];
export const jobType = z.enum(JOB_TYPES);

/** Types of plug-in handlers (DESIGN section 5): `x-` and what the author calls them, at most 64 characters. */
export type PluginType = `x-${string}`;
export const pluginType = z
  .string()
  .regex(/^x-(?=[a-z0-9-]{1,62}$)[a-z0-9]+(?:-[a-z0-9]+)*$/, {
    error: "x-NAME of a plug-in, in lower case letters, digits and single dashes",
  })
  .transform((text): PluginType => `x-${text.slice(2)}`);
/** What a job can be of: a type of the protocol, or a plug-in's. */
export type AnyJobType = JobType | PluginType;
export const isPluginType = (type: string): type is PluginType => type.startsWith("x-");
export const groupOfType = (type: AnyJobType): JobGroup => (isPluginType(type) ? "plugins" : JOB_TYPE_GROUP[type]);

/** Process modes of the runner and the groups each one works (DESIGN section 3, `runner run`). */
export const RUNNER_MODES = ["all", "install", "org", "mng"] as const;
export type RunnerMode = (typeof RUNNER_MODES)[number];
export const MODE_GROUPS: Record<RunnerMode, readonly JobGroup[]> = {
  all: JOB_GROUPS.filter((group) => group !== "management"),
  install: JOB_GROUPS.filter((group) => group !== "management" && group !== "build"),
  org: ["sync", "build", "operations"],
  mng: ["management"],
};

/** Why a queued job waits (DESIGN section 7). Other reasons are added by later schedulers. */
export const WAIT_REASONS = [
  "no_runner_online",
  "no_compatible_runner",
  "no_arch",
  "no_gpu_count",
  "no_label",
  "group_busy",
  "paused",
  "parked",
  "runner_draining",
] as const;
export type WaitReason = (typeof WAIT_REASONS)[number];
