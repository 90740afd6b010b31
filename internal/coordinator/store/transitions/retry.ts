import { isTerminal } from "../../../protocol/enums.ts";
import { ok, type Result } from "../../../protocol/errors.ts";
import { newId } from "../../../protocol/ids.ts";
import type { ActionRun, ActionWorkflowConfig } from "../../../protocol/nuon/actions.ts";
import type { AppConfig } from "../../../protocol/nuon/app-config.ts";
import type { JobRow } from "../statements.ts";
import type { Store } from "../store.ts";
import type { NewJob, Refusal } from "../types.ts";
import { optionsOf, requiresOf } from "../views.ts";
import { endExecution } from "./end.ts";
import { PRUNED } from "./prune.ts";
import { notFound, record, refuse } from "./shared.ts";
import { submitJob } from "./submit.ts";

/** A parked job goes back to the queue; one that has ended is submitted again under a new id. Answers the id that runs. */
export function retryJob(
  store: Store,
  input: { readonly jobId: string; readonly by: string; readonly why?: string },
): Result<{ readonly jobId: string }, Refusal> {
  return store.db.transaction(() => {
    const job = store.sql.job.get(input.jobId);
    if (!job) return notFound("job");
    if (job.parked === 1) return ok({ jobId: unpark(store, job, input.by, input.why || "tried again") });
    if (!isTerminal(job.status)) {
      const message = `the job is ${job.status}; only an ended or parked job can be tried again`;
      return refuse(store, "retry", { code: "illegal", message }, { job, by: input.by });
    }
    if (store.sql.documents.all(job.id).some((row) => row.kind === PRUNED)) {
      const message = "its plan, with its secrets, is gone by now (--keep-plans); submit the job file again";
      return refuse(store, "retry", { code: "illegal", message }, { job, by: input.by });
    }
    const copy = copyOf(store, job, input.by);
    submitJob(store, copy);
    record(store, job, { what: "retried", by: input.by, why: joinWhy(copy.id, input.why ?? "") });
    return ok({ jobId: copy.id });
  }, "full");
}

/** What a timeline says of a retry: the id that runs now, and a person's reason when there is one. */
export const joinWhy = (id: string, why: string): string => (why === "" ? id : `${id}: ${why}`);

/** A person decided: whoever still works under the old lease stops and reports nothing. */
function unpark(store: Store, job: JobRow, by: string, why: string): string {
  for (const execution of store.sql.openOfJob.all(job.id)) {
    endExecution(store, execution, "failed", "lease_lost: tried again by a person");
  }
  const now = store.clock.now();
  store.db
    .prepare<unknown, [number, number, string]>(
      `UPDATE jobs SET parked = 0, lease_losses = 0, reason = '', epoch = epoch + 1, queued_at = ?, updated_at = ?,
       max_executions = max(max_executions, attempts + 1) WHERE id = ?`,
    )
    .run(now, now, job.id);
  record(store, job, { what: "queued", by, why });
  store.wake.jobs();
  return job.id;
}

/** The same job under new ids: its documents carry ids that runners look up, so these are replaced everywhere; those of an exact plan stay. */
function copyOf(store: Store, job: JobRow, by: string): NewJob {
  const ids = store.db
    .prepare<{ id: string }, [string]>("SELECT id FROM document_ids WHERE job_id = ?")
    .all(job.id)
    .map((row) => row.id);
  const replacements = new Map(ids.map((id) => [id, id.slice(0, 3) + newId("job").slice(3)]));
  const id = newId("job");
  replacements.set(job.id, id);
  const renew = (text: string) => {
    let out = text;
    for (const [from, to] of replacements) out = out.replaceAll(from, to);
    return out;
  };
  const stored = new Map(store.sql.documents.all(job.id).map((row) => [row.kind, renew(row.json)]));
  const take = <T>(kind: string): T | null => {
    const json = stored.get(kind);
    stored.delete(kind);
    return json === undefined ? null : (JSON.parse(json) as T);
  };
  const plan = store.sql.plan.get(job.id);
  return {
    id,
    changeId: job.change_id,
    name: job.name,
    type: job.type,
    group: job.job_group,
    operation: job.operation,
    runnerId: job.runner_id,
    ownerId: job.owner_id,
    ownerType: job.owner_type,
    metadata: JSON.parse(job.metadata) as Record<string, string>,
    requires: requiresOf(job),
    options: optionsOf(job),
    workspaceId: job.workspace_id,
    executionTimeoutMs: job.execution_timeout_ms,
    queueTimeoutMs: job.queue_timeout_ms,
    maxExecutions: job.max_executions,
    plan: plan === null ? null : renew(plan.text),
    documents: {
      action_run: take<ActionRun>("action_run"),
      action_config: take<ActionWorkflowConfig>("action_config"),
      app_config: take<AppConfig>("app_config"),
    },
    exact: ids.length === 0,
    extra: Object.fromEntries([...stored].map(([kind, json]) => [kind, JSON.parse(json)])),
    createdBy: by,
  };
}
