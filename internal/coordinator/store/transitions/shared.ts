import { fail, type Result } from "../../../protocol/errors.ts";
import type { ExecutionRow, JobRow } from "../statements.ts";
import type { Store } from "../store.ts";
import type { Refusal } from "../types.ts";

/** Types whose side effects cannot be fenced: once begun they are never given to another runner by themselves. */
const CHANGING_TYPES: readonly string[] = [
  "terraform-deploy",
  "sandbox-terraform",
  "runner-terraform",
  "helm-chart-deploy",
  "runner-helm",
  "kubernetes-manifest-deploy",
  "job-deploy",
];

/** A change of real infrastructure: a lost lease parks it (DESIGN invariant 6). A plan changes nothing. */
export function changesTheWorld(job: JobRow): boolean {
  const plans = job.operation === "create-apply-plan" || job.operation === "create-teardown-plan";
  return !plans && CHANGING_TYPES.includes(job.type);
}

/** Records the refusal in the timeline and answers it. */
export function refuse(
  store: Store,
  transition: string,
  refusal: Refusal,
  about: { readonly job?: JobRow; readonly execution?: ExecutionRow; readonly by: string },
): Result<never, Refusal> {
  if (about.job !== undefined) {
    store.events.append({
      what: `refused:${transition}`,
      by: about.by,
      why: refusal.message,
      jobId: about.job.id,
      changeId: about.job.change_id,
      executionId: about.execution?.id ?? null,
      epoch: about.execution?.epoch ?? null,
    });
  }
  return fail(refusal);
}

/** Appends an event about a job and, when given, one of its executions. */
export function record(
  store: Store,
  job: JobRow,
  event: { readonly what: string; readonly by: string; readonly why?: string; readonly execution?: ExecutionRow },
): number {
  return store.events.append({
    what: event.what,
    by: event.by,
    why: event.why ?? "",
    jobId: job.id,
    changeId: job.change_id,
    runnerId: event.execution?.runner_id ?? job.runner_id,
    executionId: event.execution?.id ?? null,
    epoch: event.execution?.epoch ?? null,
  });
}

export const notFound = (what: string): Result<never, Refusal> =>
  fail({ code: "not_found", message: `${what} not found` });
