import { fail, ok, type Result } from "../../protocol/errors.ts";
import { type Submission, submission as submissionSchema } from "../../protocol/operator.ts";
import { JOB_EXTRA } from "../compile/new-job.ts";
import type { DriftChecksTable } from "../store/schema.ts";
import type { JobRow, WorkspaceRow } from "../store/statements.ts";
import type { Store } from "../store/store.ts";
import type { Refusal } from "../store/types.ts";
import { planOutcome } from "./apply-plan.ts";
import type { ChangeRow } from "./change-rows.ts";
import { type SubmitDeps, submitWork } from "./submit.ts";

/**
 * Plans what the last finished change of a workspace applied, once more: what differs now has drifted. Nothing is ever
 * applied. Answers the plan job; of a check that is under way its job.
 */
export function checkDrift(deps: SubmitDeps, workspace: WorkspaceRow, by: string): Result<string, Refusal> {
  const { store } = deps;
  return store.db.transaction(() => {
    const running = store.db
      .prepare<{ job_id: string }, [string]>(
        "SELECT job_id FROM drift_checks WHERE workspace_id = ? AND status = 'checking'",
      )
      .get(workspace.id);
    if (running) return ok(running.job_id);
    const change = lastFinished(store, workspace.id);
    if (change === null)
      return illegal(`no change of workspace ${workspace.name} has finished; apply a job file first`);
    if (change.operation === "destroy" || workspace.state_id === null) {
      return illegal(`workspace ${workspace.name} has no state to compare with; its last change was ${change.id}`);
    }
    const wish = planOnly(store, change, workspace.name);
    if (wish === null)
      return illegal(`the job file of change ${change.id} is gone; submit it again with operation: plan`);
    const submitted = submitWork(deps, wish, by);
    if (!submitted.ok) return illegal(`the last change (${change.id}) cannot be planned: ${submitted.error.message}`);
    const row: DriftChecksTable = {
      job_id: submitted.value,
      workspace_id: workspace.id,
      change_id: change.id,
      status: "checking",
      summary: "",
      requested_by: by,
      requested_at: store.clock.now(),
      checked_at: null,
    };
    store.db.run(store.db.kysely.insertInto("drift_checks").values(row));
    const why = `workspace ${workspace.name}, against change ${change.id}`;
    store.events.append({ what: "drift-check", by, why, jobId: row.job_id });
    return ok(row.job_id);
  }, "full");
}

/** Records what a check found; for any other job nothing. Inside the transaction that ends the job. */
export function driftChecked(store: Store, job: JobRow): void {
  const select = store.db.prepare<DriftChecksTable, [string]>("SELECT * FROM drift_checks WHERE job_id = ?");
  if (select.get(job.id)?.status !== "checking") return;
  const { status, summary } = finding(store, job);
  store.db
    .prepare<unknown, [string, string, number, string]>(
      "UPDATE drift_checks SET status = ?, summary = ?, checked_at = ? WHERE job_id = ?",
    )
    .run(status, summary, store.clock.now(), job.id);
  store.events.append({ what: `drift:${status}`, by: "system", why: summary, jobId: job.id });
}

function finding(store: Store, job: JobRow): Pick<DriftChecksTable, "status" | "summary"> {
  if (job.status !== "finished") return { status: "failed", summary: `${job.status}: ${job.reason}` };
  const outcome = planOutcome(store, job);
  if (!outcome.ok) return { status: "failed", summary: outcome.error.message };
  const { drift } = outcome.value;
  if (drift === null) return { status: "failed", summary: "the plan cannot be shown; its log says more" };
  return { status: drift.drifted ? "drifted" : "none", summary: drift.summary };
}

function lastFinished(store: Store, workspaceId: string): ChangeRow | null {
  return store.db
    .prepare<ChangeRow, [string]>(
      `SELECT * FROM changes WHERE workspace_id = ? AND status = 'finished'
       ORDER BY finished_at DESC, created_at DESC LIMIT 1`,
    )
    .get(workspaceId);
}

/** The submission of a change as a plan alone. */
function planOnly(store: Store, change: ChangeRow, workspace: string): Submission | null {
  const documents = change.plan_job_id === null ? [] : store.sql.documents.all(change.plan_job_id);
  const stored = documents.find((row) => row.kind === JOB_EXTRA.submission);
  const parsed = submissionSchema.safeParse(stored === undefined ? null : JSON.parse(stored.json));
  if (!parsed.success) return null;
  const { approval: _approval, approval_expiry: _expiry, outputs: _outputs, ...file } = parsed.data.job;
  return { ...parsed.data, job: { ...file, operation: "plan", name: `drift check of ${workspace}` } };
}

const illegal = (message: string): Result<never, Refusal> => fail({ code: "illegal", message });
