import type { ExecutionRow, JobRow } from "../statements.ts";
import type { Store } from "../store.ts";
import { finishJob } from "./complete.ts";
import { endExecution, endJob } from "./end.ts";

/** The server's clock ended a running execution that its runner did not end itself. */
export function timeoutExecution(store: Store, execution: ExecutionRow): void {
  store.db.transaction(() => {
    const job = store.sql.job.get(execution.job_id);
    if (job?.status !== "in-progress" || job.epoch !== execution.epoch) return;
    const reason = `not ended ${Math.round(job.execution_timeout_ms / 1000)} s after its start, the execution timeout`;
    endExecution(store, execution, "timed-out", reason);
    finishJob(store, job, execution, { status: "timed-out", reason, code: "" });
  }, "full");
}

/** A job that nobody took within its queue timeout. Parked ones wait for a person as long as it takes. */
export function timeoutQueued(store: Store, job: JobRow): void {
  store.db.transaction(() => {
    const row = store.sql.job.get(job.id);
    if (!row || (row.status !== "queued" && row.status !== "available") || row.parked === 1) return;
    for (const execution of store.sql.openOfJob.all(job.id)) {
      endExecution(store, execution, "failed", "lease_lost: nobody took the job up again");
    }
    const waited = row.reason === "" ? "" : ` (${row.reason})`;
    endJob(store, row, { status: "not-attempted", reason: `queue timeout${waited}`, by: "system" });
  }, "full");
}
