import type { AnyJobType } from "../../protocol/enums.ts";

/** Limits of a job in milliseconds (nuon-runner-api.md 9.1). */
export interface JobTimeouts {
  /** Waiting in the queue, from creation. */
  readonly queueMs: number;
  /** Offered to a runner and not taken (baseline dialect). */
  readonly availableMs: number;
  /** One execution, by the coordinator's clock. */
  readonly executionMs: number;
}

const MINUTE = 60_000;
const DEFAULT_QUEUE_MS = 24 * 60 * MINUTE;
const DEFAULT_AVAILABLE_MS = 30_000;
const DEFAULT_EXECUTION_MS = 5 * MINUTE;

/** Types whose execution limit differs from the default of five minutes. */
const EXECUTION_MS: Partial<Record<AnyJobType, number>> = {
  script: 10 * MINUTE,
  container: 60 * MINUTE,
  "docker-build": 60 * MINUTE,
  "terraform-deploy": 60 * MINUTE,
  "sandbox-terraform": 60 * MINUTE,
  "container-image-build": 15 * MINUTE,
  "oci-sync": 15 * MINUTE,
  "helm-chart-deploy": 15 * MINUTE,
  "kubernetes-manifest-deploy": 15 * MINUTE,
  "job-deploy": 15 * MINUTE,
  "runner-terraform": 15 * MINUTE,
};

/** All steps of an action together, when the job file names no timeout; ours, Nuon's server has no default. */
export const ACTION_TIMEOUT_MS = 10 * MINUTE;
/** What an action job without a limit of its own gets beyond its steps: fetching, outputs, reports. */
const ACTION_MARGIN_MS = MINUTE;

/** `wanted` is the job file's `timeout`: the limit of one execution, whatever the type. */
export function timeoutsOf(type: AnyJobType, wanted: number | undefined): JobTimeouts {
  const preset =
    type === "actions-workflow" ? ACTION_TIMEOUT_MS + ACTION_MARGIN_MS : (EXECUTION_MS[type] ?? DEFAULT_EXECUTION_MS);
  const executionMs = wanted ?? preset;
  return { queueMs: DEFAULT_QUEUE_MS, availableMs: DEFAULT_AVAILABLE_MS, executionMs };
}
