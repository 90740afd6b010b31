import { isTerminal } from "../../../protocol/enums.ts";
import { ok, type Result } from "../../../protocol/errors.ts";
import type { JobRow } from "../statements.ts";
import type { Store } from "../store.ts";
import type { Refusal } from "../types.ts";
import { endExecution, endJob } from "./end.ts";
import { notFound, record, refuse } from "./shared.ts";

/**
 * Cancel is final. What has not begun ends at once; what runs gets a directive and ends when its runner reports or its
 * lease is lost. A Go runner is told by the job's status, so its jobs end at once too. Repeating it changes nothing.
 */
export function cancelJob(
  store: Store,
  input: { readonly jobId: string; readonly by: string; readonly reason: string },
): Result<{ readonly ended: boolean }, Refusal> {
  return store.db.transaction(() => {
    const job = store.sql.job.get(input.jobId);
    if (!job) return notFound("job");
    const reason = input.reason === "" ? `cancelled by ${input.by}` : input.reason;
    if (job.status === "cancelled") return ok({ ended: true });
    if (isTerminal(job.status)) {
      const message = `the job has already ended: ${job.status}`;
      return refuse(store, "cancel", { code: "illegal", message }, { job, by: input.by });
    }
    if (job.cancel_at !== null) return ok({ ended: false });
    const running = store.sql.openOfJob.all(job.id).find((execution) => execution.lost_at === null);
    markCancelled(store, job, reason, input.by);
    const cancelled: JobRow = { ...job, cancel_at: store.clock.now(), cancel_reason: reason };
    if (running && running.dialect === "native") {
      const seq = record(store, cancelled, { what: "cancel-requested", by: input.by, why: reason, execution: running });
      store.db
        .prepare<unknown, [number, string]>("UPDATE executions SET cancel_seq = ? WHERE id = ?")
        .run(seq, running.id);
      store.wake.runner(running.runner_id);
      return ok({ ended: false });
    }
    for (const execution of store.sql.openOfJob.all(job.id)) endExecution(store, execution, "cancelled", reason);
    endJob(store, cancelled, { status: "cancelled", reason, by: input.by, ...(running ? { execution: running } : {}) });
    return ok({ ended: true });
  }, "full");
}

function markCancelled(store: Store, job: JobRow, reason: string, by: string): void {
  store.db
    .prepare<unknown, [number, string, string, string]>(
      "UPDATE jobs SET cancel_at = ?, cancel_reason = ?, cancel_by = ? WHERE id = ?",
    )
    .run(store.clock.now(), reason, by, job.id);
}
