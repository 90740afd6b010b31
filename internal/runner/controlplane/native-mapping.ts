import { z } from "zod";
import { JOB_TYPE_GROUP, type JobGroup, jobGroup } from "../../protocol/enums.ts";
import { type Claim, claim, type Directive, type Lease, type SessionResponse } from "../../protocol/native.ts";
import type { RunnerJob } from "../../protocol/nuon/jobs.ts";
import type { ExecutionRef, Session, Wish, Work } from "./control-plane.ts";

/** What a claim brings along that later calls need; kept in the execution's 0600 file over a restart. */
const nativeSealed = z.looseObject({
  instance_id: z.string(),
  credentials: claim.shape.credentials,
  documents: claim.shape.documents,
});
type NativeSealed = z.infer<typeof nativeSealed>;

/** The sealed facts of an execution, or null when its file was lost. */
export function unseal(execution: Pick<ExecutionRef, "sealed">): NativeSealed | null {
  const parsed = nativeSealed.safeParse(execution.sealed);
  return parsed.success ? parsed.data : null;
}

/** The group a job is worked in: its own when we know it, else that of its type. */
export function groupOf(job: Pick<RunnerJob, "group" | "type">): JobGroup {
  const own = jobGroup.safeParse(job.group);
  if (own.success) return own.data;
  return job.type in JOB_TYPE_GROUP ? JOB_TYPE_GROUP[job.type as keyof typeof JOB_TYPE_GROUP] : "operations";
}

/**
 * A claim as work. A held claim says nothing about when in the hold it was granted, so its lease is counted from the
 * answer, less a tenth for the time the answer may have been on its way; the first renewal makes it exact.
 */
export function workOf(given: Claim, instanceId: string): Work {
  const { credentials, documents, traceparent, signature } = given;
  const sealed: NativeSealed = {
    instance_id: instanceId,
    credentials,
    documents,
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(signature === undefined ? {} : { signature }),
  };
  const { verify, cancel_grace_ms, sensitive_vars, ...wishes } = given.options;
  return {
    job: given.job,
    execution: {
      id: given.execution_id,
      jobId: given.job.id,
      epoch: given.lease.epoch,
      logStreamId: given.job.log_stream_id || null,
      group: groupOf(given.job),
      jobType: given.job.type,
      sealed,
    },
    leaseTtlMs: given.lease.ttl_ms - Math.min(10_000, given.lease.ttl_ms / 10),
    plan: given.plan,
    loadPlan: null,
    options: { verify, cancelGraceMs: cancel_grace_ms, sensitiveVars: sensitive_vars, ...wishes },
    sealed,
  };
}

/** Wire directives without their sequence numbers: the loop's `after` carries those. */
export function wishOf(directive: Directive): Wish {
  const { seq: _, ...wish } = directive;
  return wish;
}

/** `tookMs`: how long ago the request was sent; a lease counts from there. */
export function ttlOf(lease: Lease, tookMs: number): number {
  return Math.max(0, lease.ttl_ms - tookMs);
}

export function sessionOf(response: SessionResponse, tookMs: number): Session {
  const held = response.held.map(({ execution_id, verdict, reason, lease }) => ({
    execution_id,
    verdict,
    reason,
    leaseTtlMs: lease === null ? null : ttlOf(lease, tookMs),
  }));
  return { settings: response.settings, times: response.times, held };
}
