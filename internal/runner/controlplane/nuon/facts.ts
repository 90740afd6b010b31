import { z } from "zod";
import { msToNs, nsToMs } from "../../../protocol/nuon/base.ts";
import type { RunnerJob } from "../../../protocol/nuon/jobs.ts";
import type { ExecutionRef, Work } from "../control-plane.ts";
import { groupOf } from "../native-mapping.ts";

/** What later calls for an execution need to know; kept in its 0600 file over a restart. */
const nuonFacts = z.looseObject({
  /** Before the reservation was sent, our wall clock: never later than the server's creation time. */
  created_ms: z.number(),
  timeout_ms: z.number(),
  install_id: z.string().nullable(),
  action_workflow_id: z.string().nullable(),
  shutdown_type: z.string().nullable(),
});
export type NuonFacts = z.infer<typeof nuonFacts>;

export function factsOf(execution: Pick<ExecutionRef, "sealed">): NuonFacts | null {
  const parsed = nuonFacts.safeParse(execution.sealed);
  return parsed.success ? parsed.data : null;
}

/** What the server takes when a job says nothing. */
const DEFAULT_TIMEOUT_MS = 300_000;

/** The server cuts at creation + execution_timeout; we are done that much earlier, so that the report still counts. */
function leaseMs(timeoutMs: number): number {
  return timeoutMs - Math.min(10_000, timeoutMs / 10);
}

/** Milliseconds of the lease that are left at `now` (wall clock). */
export const ttlAt = (facts: Pick<NuonFacts, "created_ms" | "timeout_ms">, now: number): number =>
  Math.max(0, facts.created_ms + leaseMs(facts.timeout_ms) - now);

/** A reserved job as work. `loadPlan` reads its plan document in the fetch step. */
export function workOf(
  job: RunnerJob,
  executionId: string,
  createdMs: number,
  now: number,
  loadPlan: NonNullable<Work["loadPlan"]>,
): Work {
  const { metadata } = job;
  const timeoutMs = nsToMs(job.execution_timeout) || DEFAULT_TIMEOUT_MS;
  const sealed: NuonFacts = {
    created_ms: createdMs,
    timeout_ms: timeoutMs,
    install_id: metadata?.install_id ?? null,
    action_workflow_id: metadata?.action_workflow_id ?? null,
    shutdown_type: metadata?.shutdown_type ?? null,
  };
  const ttl = ttlAt(sealed, now);
  return {
    // The work's own limit is the lease: it ends as timed out, reported by us, before the server gives it up.
    job: { ...job, execution_timeout: msToNs(ttl) },
    execution: {
      id: executionId,
      jobId: job.id,
      epoch: 1,
      logStreamId: job.log_stream_id || null,
      group: groupOf(job),
      jobType: job.type,
      sealed,
    },
    leaseTtlMs: ttl,
    plan: null,
    loadPlan,
    options: { verify: false, cancelGraceMs: null, sensitiveVars: [] },
    sealed,
  };
}
